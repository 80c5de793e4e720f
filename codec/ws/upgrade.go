package ws

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"strings"

	gobwas "github.com/gobwas/ws"
)

// StatusError is the HTTP status with which a request was refused.
type StatusError int

// Error names the status.
func (e StatusError) Error() string {
	return fmt.Sprintf("ws: request refused: %d %s", int(e), http.StatusText(int(e)))
}

// Handshake is what remains of an upgrade request: its target and a compact copy of its header
// fields, at most HeadBytesMax bytes in one string. It is immutable and may be kept.
type Handshake struct {
	Path   string
	Query  string
	fields string // "name:value\n" for each field, name in lower case
}

// Header returns the value of the first field called name (lower case), or "".
func (hs *Handshake) Header(name string) string {
	for key, value := range hs.Headers() {
		if key == name {
			return value
		}
	}
	return ""
}

// Headers yields every field in the order sent: its name in lower case and its value.
func (hs *Handshake) Headers() iter.Seq2[string, string] {
	return func(yield func(name, value string) bool) {
		for line := range strings.Lines(hs.fields) {
			name, value, _ := strings.Cut(line[:len(line)-1], ":")
			if !yield(name, value) {
				return
			}
		}
	}
}

// Upgrade answers the upgrade request head, which ends with its blank line (see HeadEnd). check may
// refuse it by path, origin or load: it returns 0 or an HTTP status of 400 or more; nil refuses
// nothing. The response is always to be sent; with an error, a StatusError, the connection is to be
// closed behind it. Neither a subprotocol nor an extension is ever negotiated; offering them is fine.
func Upgrade(head []byte, check func(*Head) int) (response []byte, hs Handshake, err error) {
	response, hs, status := upgrade(head, check)
	if status != 0 {
		return AppendRefusal(nil, status), Handshake{}, StatusError(status)
	}
	return response, hs, nil
}

func upgrade(head []byte, check func(*Head) int) (response []byte, hs Handshake, status int) {
	h, err := ParseHead(head)
	if err != nil {
		return nil, hs, statusOf(err)
	}
	if check != nil {
		if status := check(&h); status != 0 {
			return nil, hs, status
		}
	}
	switch {
	case string(h.Method) != http.MethodGet:
		return nil, hs, http.StatusMethodNotAllowed
	case !h.Upgrade:
		return nil, hs, http.StatusUpgradeRequired
	case h.Length != 0: // its bytes would be taken for frames
		return nil, hs, http.StatusBadRequest
	}
	rw := exchange{in: head}
	if _, err := (gobwas.Upgrader{}).Upgrade(&rw); err != nil {
		return nil, hs, statusOf(err)
	}
	return rw.out, newHandshake(&h), 0
}

// statusOf returns the status err asks for, and 400 for one that asks for none.
func statusOf(err error) int {
	var ours StatusError
	if errors.As(err, &ours) {
		return int(ours)
	}
	var rejected *gobwas.ConnectionRejectedError
	if errors.As(err, &rejected) && rejected.StatusCode() != 0 {
		return rejected.StatusCode()
	}
	return http.StatusBadRequest
}

// exchange lets the upgrader, made for a blocking connection, run over a complete head.
type exchange struct{ in, out []byte }

func (x *exchange) Read(p []byte) (int, error) {
	if len(x.in) == 0 {
		return 0, io.EOF
	}
	n := copy(p, x.in)
	x.in = x.in[n:]
	return n, nil
}

func (x *exchange) Write(p []byte) (int, error) {
	x.out = append(x.out, p...)
	return len(p), nil
}

func newHandshake(h *Head) Handshake {
	var b strings.Builder
	b.Grow(len(h.Path) + len(h.Query) + len(h.fields)) // a field never gets longer
	b.Write(h.Path)
	b.Write(h.Query)
	for rest := h.fields; len(rest) > 0; {
		var line []byte
		line, rest, _ = cutLine(rest)
		name, value, _ := cutField(line)
		for _, c := range name {
			b.WriteByte(lowerByte(c))
		}
		b.WriteByte(':')
		b.Write(value)
		b.WriteByte('\n')
	}
	s, path, query := b.String(), len(h.Path), len(h.Path)+len(h.Query)
	return Handshake{Path: s[:path], Query: s[path:query], fields: s[query:]}
}

// AppendRefusal appends a whole HTTP response with the given status, 400 or more, and its name as
// the text. It announces that the connection closes.
func AppendRefusal(dst []byte, status int) []byte {
	text := http.StatusText(status)
	connection := "close"
	var extra string
	switch status {
	case http.StatusMethodNotAllowed:
		extra = "Allow: GET\r\n"
	case http.StatusUpgradeRequired: // RFC 6455 §4.4, RFC 9110 §15.5.22
		connection = "close, Upgrade"
		extra = "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
	}
	return fmt.Appendf(dst, "HTTP/1.1 %d %s\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: %d\r\nConnection: %s\r\n%s\r\n%s",
		status, text, len(text), connection, extra, text)
}
