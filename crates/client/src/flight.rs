//! One question under way, and everybody who waits for its answer.

use std::future::Future;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

/// A question that was asked once. It goes on when whoever asked is gone: a caller that hangs up takes no answer from the others.
#[derive(Clone)]
pub struct Flight<T> {
    answer: watch::Receiver<Option<T>>,
    started: Instant,
}

impl<T: Clone + Send + Sync + 'static> Flight<T> {
    /// Asks.
    pub fn start(question: impl Future<Output = T> + Send + 'static) -> Self {
        let (sender, answer) = watch::channel(None);
        tokio::spawn(async move {
            sender.send_replace(Some(question.await));
        });
        Self {
            answer,
            started: Instant::now(),
        }
    }

    /// A question whose answer is known.
    pub fn answered(answer: T) -> Self {
        let (_, answer) = watch::channel(Some(answer));
        Self {
            answer,
            started: Instant::now(),
        }
    }

    /// The answer, when it is there.
    pub fn answer(&self) -> Option<T> {
        self.answer.borrow().clone()
    }

    /// Whether nothing more will come: it was answered, or its runtime is gone.
    pub fn is_over(&self) -> bool {
        self.answer.borrow().is_some() || self.answer.has_changed().is_err()
    }

    /// Waits for the answer; `None` when its runtime is gone.
    pub async fn wait(&self) -> Option<T> {
        let mut answer = self.answer.clone();
        let answered = answer.wait_for(Option::is_some).await.ok()?;
        answered.clone()
    }

    /// Waits, but not longer than this after the question was asked: an answer that does not come holds up the first callers alone.
    pub async fn wait_at_most(&self, patience: Duration) {
        let _ = timeout_at(self.started + patience, self.wait()).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn everybody_gets_the_one_answer() {
        let (ask, asked) = tokio::sync::oneshot::channel::<u8>();
        let flight = Flight::start(async move { asked.await.unwrap() });
        let waiting = tokio::spawn({
            let flight = flight.clone();
            async move { flight.wait().await }
        });
        assert!(!flight.is_over());
        ask.send(7).unwrap();
        assert_eq!((waiting.await.unwrap(), flight.wait().await), (Some(7), Some(7)));
        assert_eq!((flight.is_over(), flight.answer()), (true, Some(7)));
    }

    #[tokio::test]
    async fn a_question_that_dies_leaves_nobody_waiting() {
        let flight = Flight::<()>::start(async { panic!("a broken question") });
        assert_eq!(flight.wait().await, None);
        assert!(flight.is_over());
    }

    #[tokio::test]
    async fn patience_is_counted_from_the_question() {
        let flight = Flight::<()>::start(std::future::pending());
        flight.wait_at_most(Duration::ZERO).await;
        assert!(!flight.is_over());
    }
}
