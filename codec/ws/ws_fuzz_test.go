package ws

import (
	"bufio"
	"bytes"
	"net/http"
	"testing"
)

// FuzzReader holds every way to cut a stream against reading it whole, and memory against what
// was sent.
func FuzzReader(f *testing.F) {
	f.Add(stream(clientFrame{op: Text, payload: []byte("Hello")}), uint64(1), byte(3))
	f.Add(fragments(Binary, noise(300), 4, []clientFrame{{op: Ping, payload: []byte("p")}}), uint64(2), byte(7))
	f.Add(stream(clientFrame{op: Binary, payload: append([]byte("BULK"), noise(900)...)}), uint64(3), byte(1))
	f.Add(declare(Binary, 4000), uint64(4), byte(1))
	f.Add(stream(clientFrame{op: Close, payload: []byte("\x03\xe8bye")}), uint64(5), byte(2))
	f.Fuzz(func(t *testing.T, in []byte, seed uint64, most byte) {
		lim := Limits{MessageBytesMax: 500, BulkBytesMax: 4000, Budget: NewBudget(1 << 16), Bulk: func(p []byte) bool {
			if len(p) > BulkPrefixBytes {
				t.Errorf("asked with %d bytes", len(p))
			}
			return bytes.HasPrefix(p, []byte("BULK"))
		}}
		var r Reader
		want := read(&r, in, &lim, whole)
		r.Release()
		for name, cut := range map[string]func(int) int{"bytewise": bytewise, "random": randomChunks(seed, 1+int(most))} {
			sent := 0
			counted := func(rest int) int {
				if held := r.Buffered(); held > 2*sent+1024 || held > 4000+1024 {
					t.Errorf("%s: %d bytes held for %d sent", name, held, sent)
				}
				n := min(cut(rest), rest)
				sent += n
				return n
			}
			if got := read(&r, in, &lim, counted); !got.equal(want) {
				t.Errorf("%s: %+v, want %+v", name, got, want)
			}
			r.Release()
			if lim.Budget.Used() != 0 {
				t.Errorf("%s: %d bytes left in the budget", name, lim.Budget.Used())
			}
		}
	})
}

// FuzzUpgrade checks that every head gets one well-formed response, and that what is accepted is
// read alike by net/http.
func FuzzUpgrade(f *testing.F) {
	f.Add(head(example...))
	f.Add(head("GET / HTTP/1.1"))
	f.Add(with("X-Folded: a\r\n b"))
	f.Add(requestLine("GET http://h/deepstream HTTP/1.1"))
	f.Add(with("Sec-WebSocket-Version: 8"))
	f.Fuzz(func(t *testing.T, in []byte) {
		if end := HeadEnd(in, 0); end >= 0 {
			in = in[:end]
		}
		response, hs, err := Upgrade(in, nil)
		if err != nil {
			checkRefusal(t, response, int(err.(StatusError)))
			return
		}
		if !bytes.HasPrefix(response, []byte("HTTP/1.1 101 ")) || HeadEnd(response, 0) != len(response) {
			t.Errorf("response %q", response)
		}
		if len(hs.Path)+len(hs.Query)+len(hs.fields) > HeadBytesMax {
			t.Errorf("a handshake of %d bytes", len(hs.fields))
		}
		req, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(in)))
		if err != nil {
			return // net/http also judges what an upgrade does not need, such as the host's syntax
		}
		if host := hs.Header("host"); req.URL.Host == "" && host != req.Host {
			t.Errorf("host %q, net/http says %q", host, req.Host)
		}
		for name, value := range hs.Headers() {
			if got := req.Header.Values(name); len(got) > 0 && hs.Header(name) != got[0] {
				t.Errorf("header %s = %q (first %q), net/http says %q", name, value, hs.Header(name), got)
			}
		}
	})
}
