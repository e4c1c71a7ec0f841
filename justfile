# What a person working on Carnet types.

# What CI checks, without the parts that need other programs.
check:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- -D warnings
    cargo test --workspace

# Everything: installs what tests need, starts it, runs all of it.
test:
    ./test.sh

# A server with a seeded user and a guarded API.
demo:
    cargo run --release -- demo

# docs/specs.md from the `Spec:` lines.
specs:
    UPDATE_SPECS=1 cargo test -p carnet --test house specs

# docs/config.md from the annotated default.
config-docs:
    UPDATE_CONFIG=1 cargo test -p carnet --test house config

# The measurements of bench/README.md.
bench:
    ./bench/run
