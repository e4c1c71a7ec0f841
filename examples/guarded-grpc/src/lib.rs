//! A tonic service that only answers callers with a valid access token.

use std::future::Future;

use carnet_guard::{Auth, Guard, Rule};
use tokio::net::TcpListener;
use tonic::service::LayerExt as _;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

#[expect(
    clippy::allow_attributes,
    clippy::allow_attributes_without_reason,
    clippy::too_many_lines,
    unreachable_pub,
    reason = "made by tonic-build"
)]
mod stubs {
    include!(concat!(env!("OUT_DIR"), "/greet.v1.Greeter.rs"));
}

pub use stubs::greeter_client::GreeterClient;
use stubs::greeter_server::{Greeter, GreeterServer};

/// What a caller says.
#[derive(Clone, PartialEq, prost::Message)]
pub struct HelloRequest {
    /// The word before the name.
    #[prost(string, tag = "1")]
    pub greeting: String,
}

/// What the service says.
#[derive(Clone, PartialEq, prost::Message)]
pub struct HelloReply {
    /// The greeting, with the name of the token's user.
    #[prost(string, tag = "1")]
    pub message: String,
}

struct Polite;

#[tonic::async_trait]
impl Greeter for Polite {
    async fn say_hello(&self, request: Request<HelloRequest>) -> Result<Response<HelloReply>, Status> {
        // The guard's layer has put the caller here.
        let auth = request.extensions().get::<Auth>();
        let auth = auth.ok_or_else(|| Status::internal("no guard stands around this service"))?;
        let message = format!("{}, {}", request.get_ref().greeting, auth.sub());
        Ok(Response::new(HelloReply { message }))
    }
}

/// Answers callers until `stop` is over: every call needs a valid token, and this service the scope `greet`.
pub async fn serve(
    guard: Guard,
    listener: TcpListener,
    stop: impl Future<Output = ()>,
) -> Result<(), tonic::transport::Error> {
    let greeter = guard
        .require(Rule::scope("greet"))
        .named_layer(GreeterServer::new(Polite));
    Server::builder()
        .layer(guard.layer())
        .add_service(greeter)
        .serve_with_incoming_shutdown(TcpIncoming::from(listener), stop)
        .await
}
