# The operator's image: one binary on a base without a shell. Build with `docker build -t mlops-operator .`
FROM rust:1.95-bookworm AS build
WORKDIR /source
COPY . .
RUN cargo build --release --locked --bin mlops-operator

FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /source/target/release/mlops-operator /usr/local/bin/mlops-operator
USER 65532:65532
ENTRYPOINT ["/usr/local/bin/mlops-operator"]
CMD ["run"]
