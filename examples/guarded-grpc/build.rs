//! Makes the stubs of the service. Written down here instead of in a .proto file, so that nobody needs `protoc` to build this.

fn main() {
    let say_hello = tonic_build::manual::Method::builder()
        .name("say_hello")
        .route_name("SayHello")
        .input_type("crate::HelloRequest")
        .output_type("crate::HelloReply")
        .codec_path("tonic_prost::ProstCodec")
        .build();
    let greeter = tonic_build::manual::Service::builder()
        .name("Greeter")
        .package("greet.v1")
        .method(say_hello)
        .build();
    tonic_build::manual::Builder::new().compile(&[greeter]);
}
