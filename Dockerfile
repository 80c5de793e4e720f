# An image with nothing but the server: docker build -t deepstream-fast .
# Data is kept in the volume, the configuration in /etc/deepstream/conf.toml may be mounted over.

FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=unknown
ARG COMMIT=unknown
ARG BUILT=unknown
RUN CGO_ENABLED=0 go build -trimpath \
      -ldflags "-s -w -X main.version=${VERSION} -X main.commit=${COMMIT} -X main.buildTime=${BUILT}" \
      -o /out/deepstream-fast ./cmd/deepstream-fast
RUN mkdir -m 0700 /out/data

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /out/deepstream-fast /usr/bin/deepstream-fast
COPY --from=build --chown=65532:65532 /out/data /var/lib/deepstream-fast
COPY packaging/conf.toml /etc/deepstream/conf.toml
USER 65532:65532
ENV STATE_DIRECTORY=/var/lib/deepstream-fast
VOLUME /var/lib/deepstream-fast
EXPOSE 6020
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s \
  CMD ["/usr/bin/deepstream-fast", "health", "--config", "/etc/deepstream/conf.toml"]
ENTRYPOINT ["/usr/bin/deepstream-fast"]
CMD ["start", "--config", "/etc/deepstream/conf.toml"]
