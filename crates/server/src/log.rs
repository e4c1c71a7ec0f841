//! Log lines that nobody can forge: one record a line, every value escaped and cut.
//!
//! Spec: OWASP ASVS 5.0 §16.4.1 · RFC 8259 (JSON lines)

use std::{
    fmt::{self, Write as _},
    io::{self, Write as _},
};

use carnet_oauth::unseen::is_unseen;
use serde_json::{Map, Value};
use thiserror::Error;
use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    span,
};
use tracing_subscriber::{
    Layer,
    filter::FilterFn,
    layer::{Context, SubscriberExt as _},
    registry::LookupSpan,
    util::SubscriberInitExt as _,
};

use crate::{
    clock::{Clock, SystemClock},
    config::{Log, LogFormat},
};

/// Why logging cannot be set up.
#[derive(Debug, Error)]
pub enum LogError {
    /// The level is no level and no list of directives.
    #[error("{0:?} is no log level; write one such as \"info\" or \"info,carnet_store=debug\"")]
    Level(String),
    /// Somebody has set up logging in this process before.
    #[error("logging is set up already")]
    Twice,
}

/// Logs to standard error from now on, panics included.
pub fn install(config: &Log) -> Result<(), LogError> {
    let lines = Lines {
        format: config.format,
        clock: SystemClock,
        write: |line: &str| drop(io::stderr().lock().write_all(line.as_bytes())),
    };
    subscriber(&config.level, lines)?
        .try_init()
        .map_err(|_| LogError::Twice)?;
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let text = panic.payload_as_str().unwrap_or("(no text)");
        tracing::error!(place, text, "panicked");
    }));
    Ok(())
}

/// The text as it may stand in a log line: control characters, terminal escapes, line separators and the marks that
/// turn the direction of writing are spelled out; what is longer than 1 KiB is cut and ends in `…`.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len().min(MAX_VALUE));
    for letter in text.chars() {
        if out.len() >= MAX_VALUE {
            out.push('…');
            break;
        }
        match letter {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\\' => out.push_str("\\\\"),
            letter if is_unseen(letter) => {
                let _ = write!(out, "\\u{{{:x}}}", u32::from(letter));
            }
            letter => out.push(letter),
        }
    }
    out
}

fn subscriber<C, W>(level: &str, lines: Lines<C, W>) -> Result<impl Subscriber + Send + Sync, LogError>
where
    C: Clock + 'static,
    W: Fn(&str) + Send + Sync + 'static,
{
    let filter = carnet_listen::log_filter(level).map_err(|_| LogError::Level(escape(level)))?;
    Ok(tracing_subscriber::registry()
        .with(filter)
        .with(lines.with_filter(FilterFn::new(is_ours_or_calm))))
}

/// LK-02: below info, other people's code logs what passes through it: statements with their parameters, headers.
fn is_ours_or_calm(metadata: &Metadata<'_>) -> bool {
    *metadata.level() <= Level::INFO || metadata.target().starts_with("carnet")
}

/// Writes each event as one line.
struct Lines<C, W> {
    format: LogFormat,
    clock: C,
    write: W,
}

impl<S, C, W> Layer<S> for Lines<C, W>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    C: Clock + 'static,
    W: Fn(&str) + Send + Sync + 'static,
{
    fn on_new_span(&self, attributes: &span::Attributes<'_>, id: &span::Id, context: Context<'_, S>) {
        if let Some(span) = context.span(id) {
            let mut fields = Fields::of(span.name());
            attributes.record(&mut fields);
            span.extensions_mut().insert(fields);
        }
    }

    fn on_record(&self, id: &span::Id, record: &span::Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(fields) = span.extensions_mut().get_mut::<Fields>()
        {
            record.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields::of("");
        for span in context
            .event_scope(event)
            .into_iter()
            .flat_map(|scope| scope.from_root())
        {
            if let Some(of_span) = span.extensions().get::<Fields>() {
                fields.values.extend(of_span.values.clone());
            }
        }
        event.record(&mut fields);
        (self.write)(&self.line(event.metadata(), fields));
    }
}

impl<C: Clock, W> Lines<C, W> {
    fn line(&self, metadata: &Metadata<'_>, mut fields: Fields) -> String {
        let now = jiff::Timestamp::from_millisecond(self.clock.now()).unwrap_or_default();
        let time = format!("{now:.3}");
        let (level, target) = (metadata.level().as_str(), metadata.target());
        let message = fields.values.remove("message").unwrap_or_default();
        match self.format {
            LogFormat::Json => {
                let line = serde_json::json!({
                    "time": time, "level": level, "target": target, "message": message, "fields": fields.values,
                });
                format!("{line}\n")
            }
            LogFormat::Text => {
                let mut line = format!(
                    "{time} {level:5} {target}: {}",
                    message.as_str().unwrap_or_default()
                );
                for (name, value) in &fields.values {
                    let _ = write!(line, " {name}={value}");
                }
                line + "\n"
            }
        }
    }
}

/// The fields of a span (under its name) or of an event, escaped.
struct Fields {
    prefix: String,
    values: Map<String, Value>,
}

impl Fields {
    fn of(span: &str) -> Self {
        let prefix = if span.is_empty() {
            String::new()
        } else {
            format!("{span}.")
        };
        Self {
            prefix,
            values: Map::new(),
        }
    }

    fn put(&mut self, field: &Field, value: Value) {
        self.values
            .insert(format!("{}{}", self.prefix, field.name()), value);
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, Value::String(escape(value)));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value.into());
    }
}

const MAX_VALUE: usize = 1024;

#[cfg(test)]
mod tests;
