package ws

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// head joins a request line and header fields to a request head.
func head(lines ...string) []byte { return []byte(strings.Join(lines, "\r\n") + "\r\n\r\n") }

// The example of RFC 6455 §1.3, with all the offers a browser makes.
var example = []string{
	"GET /deepstream?x=1 HTTP/1.1",
	"Host: server.example.com",
	"upgrade: WebSocket",
	"Connection: keep-alive, Upgrade",
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
	"Origin: http://example.com",
	"Sec-WebSocket-Protocol: chat, superchat",
	"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits",
	"Sec-WebSocket-Version: 13",
	"X-Forwarded-For:  203.0.113.7 ",
	"Cookie: a=b: c",
	"cookie: second",
	"Empty:",
}

// with returns the example with the line that starts like line replaced; without removes it.
func with(line string) []byte { return edit(strings.SplitAfter(line, ":")[0], line) }

func without(name string) []byte { return edit(name + ":") }

func edit(prefix string, replacement ...string) []byte {
	var lines []string
	found := false
	for _, l := range example {
		if strings.HasPrefix(strings.ToLower(l), strings.ToLower(prefix)) && !found {
			found = true
			lines = append(lines, replacement...)
			continue
		}
		lines = append(lines, l)
	}
	if !found {
		lines = append(lines, replacement...)
	}
	return head(lines...)
}

func requestLine(line string) []byte {
	return head(append([]string{line}, example[1:]...)...)
}

func TestUpgrade(t *testing.T) {
	in := head(example...)
	original := bytes.Clone(in)
	var seen string
	response, hs, err := Upgrade(in, func(h *Head) int {
		seen = fmt.Sprintf("%s %s %s %s %s %v %s", h.Method, h.Path, h.Query, h.Host, h.Origin, h.Upgrade, h.Field("cookie"))
		return 0
	})
	if err != nil {
		t.Fatal(err)
	}
	if want := "GET /deepstream x=1 server.example.com http://example.com true a=b: c"; seen != want {
		t.Errorf("checked %q, want %q", seen, want)
	}
	if !bytes.Equal(in, original) {
		t.Error("the head was modified")
	}
	got, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(response)), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer got.Body.Close()
	if got.StatusCode != 101 || got.Header.Get("Sec-WebSocket-Accept") != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" {
		t.Errorf("response %q", response)
	}
	if len(got.Header) != 3 || !bytes.HasSuffix(response, []byte("\r\n\r\n")) {
		t.Errorf("something was negotiated, or the end is missing: %q", response)
	}

	clear(in) // a handshake keeps no view
	if hs.Path != "/deepstream" || hs.Query != "x=1" {
		t.Errorf("path %q, query %q", hs.Path, hs.Query)
	}
	for name, want := range map[string]string{"x-forwarded-for": "203.0.113.7", "cookie": "a=b: c", "host": "server.example.com",
		"sec-websocket-protocol": "chat, superchat", "empty": "", "absent": "", "Cookie": ""} {
		if got := hs.Header(name); got != want {
			t.Errorf("header %s = %q, want %q", name, got, want)
		}
	}
	n := 0
	for name := range hs.Headers() {
		if n++; name != strings.ToLower(name) {
			t.Errorf("header %q is not in lower case", name)
		}
	}
	if n != len(example)-1 {
		t.Errorf("%d headers, want %d", n, len(example)-1)
	}
}

func TestUpgradeAccepts(t *testing.T) {
	tests := map[string][]byte{
		"absolute target":    requestLine("GET http://server.example.com/deepstream HTTP/1.1"),
		"later minor":        requestLine("GET / HTTP/1.2"),
		"no origin":          without("Origin"),
		"odd protocol offer": with("Sec-WebSocket-Protocol: ;;,,"),
		"odd extensions":     with("Sec-WebSocket-Extensions: ===,;"),
		"empty body":         with("Content-Length: 0"),
		"header of 5 KiB":    with("Cookie: " + strings.Repeat("c", 5<<10)),
		"bytes over 127":     with("X-Name: J\xc3\xb6rg\xff"),
	}
	for name, in := range tests {
		if response, _, err := Upgrade(in, nil); err != nil {
			t.Errorf("%s: %v %q", name, err, response)
		}
	}
}

func TestUpgradeRefuses(t *testing.T) {
	refuse := func(status int) func(*Head) int { return func(*Head) int { return status } }
	tests := []struct {
		name  string
		in    []byte
		check func(*Head) int
		want  int
	}{
		{"wrong path", head(example...), refuse(404), 404},
		{"wrong origin", head(example...), refuse(403), 403},
		{"overload", head(example...), refuse(503), 503},
		{"check comes before the method", requestLine("POST / HTTP/1.1"), refuse(404), 404},
		{"method", requestLine("POST / HTTP/1.1"), nil, 405},
		{"old HTTP", requestLine("GET / HTTP/1.0"), nil, 505},
		{"new HTTP", requestLine("GET / HTTP/2.0"), nil, 505},
		{"no upgrade", without("Upgrade"), nil, 426},
		{"another upgrade", with("Upgrade: h2c"), nil, 426},
		{"another version", with("Sec-WebSocket-Version: 8"), nil, 426},
		{"no version", without("Sec-WebSocket-Version"), nil, 400},
		{"no key", without("Sec-WebSocket-Key"), nil, 400},
		{"short key", with("Sec-WebSocket-Key: c2hvcnQ="), nil, 400},
		{"no connection", without("Connection"), nil, 400},
		{"another connection", with("Connection: keep-alive"), nil, 400},
		{"no host", without("Host"), nil, 400},
		{"two hosts", with("Accept: */*\r\nHost: other"), nil, 400},
		{"body", with("Content-Length: 5"), nil, 400},
		{"chunks", with("Transfer-Encoding: chunked"), nil, 400},
		{"folded line", with("X-Folded: a\r\n b"), nil, 400},
		{"blank in front of the colon", with("X-Blank : a"), nil, 400},
		{"no colon", with("nonsense"), nil, 400},
		{"no name", with(": a"), nil, 400},
		{"bare LF", with("X-A: b\nX-C: d"), nil, 400},
		{"bare CR", with("X-A: b\rX-C: d"), nil, 400},
		{"zero byte", with("X-A: \x00"), nil, 400},
		{"request line", requestLine("GET /"), nil, 400},
		{"blanks in the target", requestLine("GET / / HTTP/1.1"), nil, 400},
		{"version", requestLine("GET / HTTP/x.1"), nil, 400},
		{"method with a slash", requestLine("G/T / HTTP/1.1"), nil, 400},
		{"empty target", requestLine("GET  HTTP/1.1"), nil, 400},
		{"nothing", nil, nil, 400},
		{"cut off", head(example...)[:100], nil, 400},
		{"bytes behind the head", append(head(example...), "x"...), nil, 400},
		{"too long", with("Cookie: " + strings.Repeat("c", HeadBytesMax)), nil, 431},
		{"too many fields", with("X-A: b" + strings.Repeat("\r\nX-A: b", HeadFieldsMax)), nil, 431},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			response, hs, err := Upgrade(tt.in, tt.check)
			if err != StatusError(tt.want) || hs != (Handshake{}) {
				t.Errorf("error %v, want %d; handshake %v", err, tt.want, hs)
			}
			checkRefusal(t, response, tt.want)
		})
	}
}

// checkRefusal fails t unless response is a complete response with the given status.
func checkRefusal(t *testing.T, response []byte, status int) {
	t.Helper()
	rd := bufio.NewReader(bytes.NewReader(response))
	got, err := http.ReadResponse(rd, nil)
	if err != nil {
		t.Fatalf("%v: %q", err, response)
	}
	defer got.Body.Close()
	body, err := io.ReadAll(got.Body)
	if err != nil || got.StatusCode != status || got.ContentLength != int64(len(body)) || len(body) == 0 || !got.Close || rd.Buffered() != 0 {
		t.Errorf("%v: response %q, want %d", err, response, status)
	}
	for name, want := range map[string]bool{"Allow": status == 405, "Sec-WebSocket-Version": status == 426, "Upgrade": status == 426} {
		if (got.Header.Get(name) != "") != want {
			t.Errorf("status %d with %s %q", status, name, got.Header.Get(name))
		}
	}
}

func TestAppendRefusal(t *testing.T) {
	for _, status := range []int{400, 403, 404, 405, 408, 426, 431, 503, 505} {
		checkRefusal(t, AppendRefusal(nil, status), status)
		if !strings.Contains(StatusError(status).Error(), http.StatusText(status)) {
			t.Errorf("%v does not name its status", StatusError(status))
		}
	}
}

func TestHeadEndIsFoundWhereverTheReadsAreCut(t *testing.T) {
	in := append(head(example...), "\r\n\r\nframes"...)
	want := len(head(example...))
	for n := range len(in) {
		for from := range min(n, want-1) + 1 {
			got := HeadEnd(in[:n], from)
			if n < want && got != -1 || n >= want && got != want {
				t.Fatalf("HeadEnd(%d bytes, %d) = %d", n, from, got)
			}
		}
	}
}

func TestParseHeadOfPlainHTTP(t *testing.T) {
	h, err := ParseHead(head("GET /health-check HTTP/1.0"))
	if err != nil || string(h.Path) != "/health-check" || h.Query != nil || h.Host != nil || h.Origin != nil || h.Upgrade || h.Field("host") != nil {
		t.Errorf("%+v, %v", h, err)
	}
	for target, want := range map[string][2]string{
		"/":                  {"/", ""},
		"/a//b?c=d?e":        {"/a//b", "c=d?e"},
		"http://h:1/a/b?c":   {"/a/b", "c"},
		"http://h?c":         {"", "c"},
		"HTTPS://h":          {"/", ""},
		"*":                  {"*", ""},
		"h:443":              {"h:443", ""},
		"/x?u=http://h/path": {"/x", "u=http://h/path"},
	} {
		h, err := ParseHead(head("PUT "+target+" HTTP/1.1", "Host: h"))
		if err != nil || string(h.Method) != "PUT" || string(h.Path) != want[0] || string(h.Query) != want[1] {
			t.Errorf("%s: path %q, query %q, %v", target, h.Path, h.Query, err)
		}
	}
}
