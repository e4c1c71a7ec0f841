//! The body of an answer: what the service says, or the few words of a refusal.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

pin_project! {
    /// What the layers make of the body `B` of a service. Default where `B` is.
    #[derive(Debug)]
    pub struct GuardBody<B> {
        #[pin]
        whose: Whose<B>,
    }
}

pin_project! {
    #[project = Projected]
    #[derive(Debug)]
    enum Whose<B> {
        Service { #[pin] body: B },
        // Taken when it was sent.
        Refusal { words: Option<Bytes> },
    }
}

impl<B> GuardBody<B> {
    pub(crate) fn of_service(body: B) -> Self {
        Self {
            whose: Whose::Service { body },
        }
    }

    pub(crate) fn refusal(words: Bytes) -> Self {
        let words = Some(words).filter(|words| !words.is_empty());
        Self {
            whose: Whose::Refusal { words },
        }
    }
}

impl<B: Default> Default for GuardBody<B> {
    fn default() -> Self {
        Self::of_service(B::default())
    }
}

impl<B: Body<Data = Bytes>> Body for GuardBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        match self.project().whose.project() {
            Projected::Service { body } => body.poll_frame(context),
            Projected::Refusal { words } => Poll::Ready(words.take().map(|words| Ok(Frame::data(words)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.whose {
            Whose::Service { body } => body.is_end_stream(),
            Whose::Refusal { words } => words.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.whose {
            Whose::Service { body } => body.size_hint(),
            Whose::Refusal { words } => {
                let length = words.as_ref().map_or(0, Bytes::len);
                SizeHint::with_exact(u64::try_from(length).unwrap_or(u64::MAX))
            }
        }
    }
}
