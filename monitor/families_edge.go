package monitor

import (
	"strconv"

	"deepstream-fast/codec/ws"
)

// edgeFamilies are about what lies between a socket and its WebSocket: PROXY headers, TLS, and plain HTTP.
var edgeFamilies = []Family{
	// TLS.
	{
		Name: "deepstream_tls_handshakes_total", Type: typeCounter, Labels: []string{"result"},
		Help: "TLS handshakes that ended: full, resumed (took up an earlier session), failed, timeout (never completed) or shed (closed because too many were under way).",
		values: func(s *Sample, put put) {
			put(float64(s.Engine.Handshakes-min(s.Engine.Resumed, s.Engine.Handshakes)), "full")
			put(float64(s.Engine.Resumed), "resumed")
			put(float64(s.Engine.HandshakesFailed), "failed")
			put(float64(s.Engine.HandshakeTimeouts), "timeout")
			put(float64(s.Engine.HandshakesShed), "shed")
		},
	},
	{
		Name: "deepstream_tls_certificate_expiry_timestamp_seconds", Type: typeGauge,
		Help: "When the certificate that is shown ends, in seconds since 1970. Missing without TLS.",
		values: func(s *Sample, put put) {
			if !s.CertificateExpires.IsZero() {
				put(float64(s.CertificateExpires.Unix()))
			}
		},
	},
	counter("deepstream_wrong_protocol_total", "Connections that spoke plain HTTP, or anything else, where TLS is spoken, or TLS where it is not.",
		func(s *Sample) uint64 { return s.Engine.WrongProtocol }),
	counter("deepstream_proxy_headers_refused_total", "Connections closed for a PROXY header that was missing, malformed or of somebody not trusted.",
		func(s *Sample) uint64 { return s.Engine.ProxyRefused }),

	// Plain HTTP.
	gauge("deepstream_http_connections", "Connections that were handed over to the HTTP server.", func(s *Sample) int { return s.Web.Connections.Connections }),
	counter("deepstream_http_connections_handed_over_total", "Connections that ever were.", func(s *Sample) uint64 { return s.Web.Connections.HandedOff }),
	counter("deepstream_http_connections_refused_total", "Connections that could not be: over maxHttpConnections, while stopping, or for want of a descriptor.",
		func(s *Sample) uint64 { return s.Web.Connections.Refused }),
	{
		Name: "deepstream_http_answers_total", Type: typeCounter, Labels: []string{"class"},
		Help: "Answers of the HTTP server by class of status: 2xx, 3xx, 4xx or 5xx.",
		values: func(s *Sample, put put) {
			for first := 2; first < len(s.Web.Answers); first++ {
				put(float64(s.Web.Answers[first]), strconv.Itoa(first)+"xx")
			}
		},
	},
	{
		Name: "deepstream_http_requests_refused_total", Type: typeCounter, Labels: []string{"reason"},
		Help: "Requests that the HTTP server did not carry out: not_ready, busy, memory, origin, method, not_found, media_type, body, message, login, " +
			"login_late, permission, upgrade or rate.",
		values: func(s *Sample, put put) {
			for _, c := range s.Web.Refused {
				put(float64(c.N), c.Label)
			}
		},
	},
	{
		Name: "deepstream_http_flaws_total", Type: typeCounter, Labels: []string{"flaw"},
		Help: "HTTP requests, upgrades included, refused for their form, most of which could make two servers disagree about where they end: " +
			"syntax, line_end, folded, field_name, host, length, coding, two_lengths, chunk, size or version.",
		values: func(s *Sample, put put) {
			for flaw := ws.FlawNone + 1; flaw < ws.Flaws; flaw++ {
				put(float64(s.Web.Connections.Flaws[flaw]), flaw.String())
			}
		},
	},
	gauge("deepstream_http_requests_in_flight", "Requests that the HTTP server is at.", func(s *Sample) int { return s.Web.InFlight }),
	gauge("deepstream_http_memory_bytes", "Bodies, commands and answers of these requests.", func(s *Sample) int { return int(s.Web.Memory) }),
	counter("deepstream_http_commands_total", "Commands of HTTP requests that were carried out.", func(s *Sample) uint64 { return s.Web.Commands }),
	counter("deepstream_http_command_timeouts_total", "Commands that had no answer in time.", func(s *Sample) uint64 { return s.Web.Timeouts }),
}
