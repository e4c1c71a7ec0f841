//! Every line that any test logs.

use std::fmt;
use std::sync::{Mutex, Once};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;

static LINES: Mutex<String> = Mutex::new(String::new());

/// What was logged so far.
pub(crate) fn lines() -> String {
    LINES.lock().unwrap().clone()
}

/// From now on, for every test of this program.
pub(crate) fn keep() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| tracing_subscriber::registry().with(Lines).init());
}

/// Keeps every field of every event, behind those of the spans that it is in.
struct Lines;

#[derive(Default)]
struct Words(String);

impl Visit for Words {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.push_str(&format!("{field}={value:?} "));
    }
}

impl<S: Subscriber + for<'s> LookupSpan<'s>> Layer<S> for Lines {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut words = Words::default();
        attributes.record(&mut words);
        context.span(id).unwrap().extensions_mut().insert(words);
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut words = Words::default();
        for span in context.event_scope(event).into_iter().flatten() {
            words.0 += &span.extensions().get::<Words>().unwrap().0;
        }
        event.record(&mut words);
        let mut lines = LINES.lock().unwrap();
        lines.push_str(&words.0);
        lines.push('\n');
    }
}
