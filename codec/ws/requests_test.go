package ws

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// streams are requests behind one another, and how many bytes of them are fit.
var streams = map[string]struct {
	in   string
	fit  int // -1: all
	flaw Flaw
}{
	"nothing":             {"", -1, FlawNone},
	"half a head":         {"GET / HTTP/1.1\r\nHo", -1, FlawNone},
	"no body":             {"GET / HTTP/1.1\r\nHost: h\r\n\r\nGET / HTTP/1.1\r\n\r\n", -1, FlawNone},
	"body":                {"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\n\n\n\n\n\nGET / HTTP/1.1\r\n\r\n", -1, FlawNone},
	"chunks":              {"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n00A;x=\"y\"\r\n0123456789\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n", -1, FlawNone},
	"chunks and trailer":  {"POST / HTTP/1.1\r\nTransfer-Encoding: Chunked\r\n\r\n0\r\nA: b\r\nC: d\r\n\r\nGET / HTTP/1.1\r\n\r\n", -1, FlawNone},
	"garbage behind":      {"GET / HTTP/1.1\r\n\r\nnonsense\r\n\r\n", 18, FlawSyntax},
	"bare LF behind":      {"GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\n\n", 18, FlawLineEnd},
	"data behind a chunk": {"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab", 51, FlawChunk},
	"host in a trailer":   {"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nHost: x\r\n\r\n", 50, FlawChunk},
}

func TestRequests(t *testing.T) {
	for name, tt := range streams {
		var r Requests
		n, err := r.Check([]byte(tt.in))
		want := tt.fit
		if want < 0 {
			want = len(tt.in)
		}
		if n != want || flawIn(err) != tt.flaw {
			t.Errorf("%s: %d fit, %v; want %d, %v", name, n, err, want, tt.flaw)
		}
	}
}

func flawIn(err error) Flaw {
	var he *HeadError
	if errors.As(err, &he) {
		return he.Flaw
	}
	return FlawNone
}

func TestFlawsHaveNamesAndStatuses(t *testing.T) {
	seen := map[string]bool{}
	for f := FlawNone; f < Flaws; f++ {
		seen[f.String()] = true
		var status StatusError
		if err := flawed(f); !errors.As(err, &status) || status < 400 || !strings.Contains(err.Error(), f.String()) {
			t.Errorf("%v: %v", f, err)
		}
	}
	if len(seen) != int(Flaws) || seen[""] || Flaws.String() != "unknown" {
		t.Errorf("names %v", seen)
	}
}

// FuzzRequests checks that the way a stream is cut changes nothing, that little is kept of it, and that
// net/http cuts what is let through into the same requests.
func FuzzRequests(f *testing.F) {
	for _, s := range streams {
		f.Add([]byte(s.in), byte(3))
	}
	f.Fuzz(func(t *testing.T, in []byte, most byte) {
		var whole, cut Requests
		fit, flaw := whole.Check(in)
		done, err := 0, error(nil)
		for done < len(in) && err == nil {
			end := min(done+1+int(most), len(in))
			var n int
			n, err = cut.Check(in[done:end])
			done += n
			if len(cut.partial) > HeadBytesMax+1 {
				t.Fatalf("%d bytes kept", len(cut.partial))
			}
		}
		if done < fit || flawIn(err) != flawIn(flaw) && !(flawIn(err) == FlawLineEnd || flawIn(flaw) == FlawLineEnd) {
			t.Errorf("whole %d %v, cut %d %v", fit, flaw, done, err)
		}
		if (err == nil) != (flaw == nil) {
			t.Errorf("whole %v, cut %v", flaw, err)
		}
		compareWithNetHTTP(t, in[:fit])
	})
}

// compareWithNetHTTP checks that net/http finds a request wherever ours begin, and nowhere else.
func compareWithNetHTTP(t *testing.T, b []byte) {
	in := &countingReader{b: b}
	rd := bufio.NewReaderSize(in, 16)
	var ours Requests
	for at := 0; at < len(b); {
		req, err := http.ReadRequest(rd)
		if err != nil {
			return // it has more to say about heads, and part of one may have been let through
		}
		if _, err := io.Copy(io.Discard, req.Body); err != nil {
			return // the body may not be there yet
		}
		end := in.n - rd.Buffered()
		if n, err := ours.Check(b[at:end]); err != nil || n != end-at || !ours.InHead() || len(ours.partial) > 0 {
			t.Errorf("net/http finds the end of a request at %d of %q, we do not: %d, %v", end, b, n, err)
			return
		}
		at = end
	}
}

type countingReader struct {
	b []byte
	n int
}

func (r *countingReader) Read(p []byte) (int, error) {
	if r.n == len(r.b) {
		return 0, io.EOF
	}
	n := copy(p, r.b[r.n:])
	r.n += n
	return n, nil
}

func BenchmarkRequests(b *testing.B) {
	in := fmt.Appendf(nil, "POST /api HTTP/1.1\r\nHost: example.com\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", 100, strings.Repeat("x", 100))
	var r Requests
	b.ReportAllocs()
	b.SetBytes(int64(len(in)))
	for b.Loop() {
		if _, err := r.Check(in); err != nil {
			b.Fatal(err)
		}
	}
}
