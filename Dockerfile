# nin-cli alone, in an otherwise empty image. Untried: no Docker engine ran where this was written. The binary
# was: it works in an empty root folder (results/2026-11-24-zen4-2c-static.json).
#
#   docker build -t nin .
#   docker run --rm nin shapes --config d2l
#   docker run --rm -v "$PWD:/work" -w /work nin train
#   docker run --rm -p 127.0.0.1:8080:8080 nin serve --addr 0.0.0.0:8080

FROM rust:1.95-bookworm AS build
WORKDIR /nin
COPY . .
ENV RUSTFLAGS="-C target-feature=+crt-static"
# With the target named, the flag is not for what runs while building (procedural macros are shared libraries).
RUN target="$(rustc -vV | sed -n 's/^host: //p')" \
 && cargo build --release --locked -p nin-cli --no-default-features --features flex --target "$target" \
 && strip -o /nin-cli "target/$target/release/nin-cli"

FROM scratch
COPY --from=build /nin-cli /nin-cli
COPY LICENSE NOTICE /
# Numbers: there is no /etc/passwd.
USER 1000:1000
ENTRYPOINT ["/nin-cli"]
