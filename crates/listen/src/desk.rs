//! One request on its way in, and its answer on its way out.
//!
//! Spec: RFC 6585 §5 (431)

use std::{convert::Infallible, future::Future, pin::Pin, sync::Arc};

use axum::{body::Body, response::IntoResponse as _};
use http::{Method, Request, Response, StatusCode, Version};
use hyper::{
    body::{Body as _, Incoming},
    service::Service,
    upgrade::OnUpgrade,
};

use super::{
    answers::Answers,
    peer::{PeerAddr, PeerCertificate},
    phase::{Closing, Endless, Phase, reached},
    pulse::{Answer, Hold, Open, Pulse},
    upload::{Answering, Upload},
};

/// What answers, told who asks.
pub(super) struct Desk<A> {
    pub(super) answers: A,
    pub(super) peer: PeerAddr,
    pub(super) certificate: Option<PeerCertificate>,
    pub(super) pulse: Arc<Pulse>,
}

/// Ends when the answer was sent.
type Sending = (Open, Option<Answering<Incoming>>);

impl<A: Answers> Service<Request<Incoming>> for Desk<A> {
    type Response = Response<Answer<Body, Sending>>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let open = self.pulse.open(request.version() == Version::HTTP_2);
        let (mut request, unread) = match request.body().is_end_stream() {
            true => (request.map(|_| Body::empty()), None),
            false => {
                let (request, unread) = Upload::of(request, &self.pulse);
                (request.map(Body::new), unread)
            }
        };
        request.extensions_mut().insert(self.peer);
        if let Some(certificate) = &self.certificate {
            request.extensions_mut().insert(certificate.clone());
        }
        if request.extensions().get::<OnUpgrade>().is_some() {
            request.extensions_mut().insert(Closing(self.pulse.phase()));
        }
        // The answer to a CONNECT that is granted has no body with which it could end.
        if request.method() == Method::CONNECT {
            let open = Arc::new(self.pulse.open(request.version() == Version::HTTP_2));
            request.extensions_mut().insert(Hold { _open: open });
        }
        // hyper counts those of HTTP/1.1 alone.
        let many = request.headers().len() > HEADERS;
        let answers = self.answers.clone();
        let pulse = Arc::clone(&self.pulse);
        Box::pin(async move {
            let mut answer = match many {
                true => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE.into_response(),
                false => answers.answer(request).await,
            };
            if answer.status() == StatusCode::SWITCHING_PROTOCOLS {
                pulse.switch();
            }
            let endless = answer.extensions_mut().remove::<Endless>();
            let closing = endless.map(|Endless| reached(pulse.phase(), Phase::Closing));
            let answering = unread.map(|unread| unread.answer(&mut answer));
            Ok(answer.map(|body| Answer::new(body, (open, answering), closing)))
        })
    }
}

/// As many as hyper takes of HTTP/1.1.
const HEADERS: usize = 100;
