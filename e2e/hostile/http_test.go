package hostile

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// What programs without a WebSocket can do to those with one.
func TestHTTPAttacks(t *testing.T) {
	for _, a := range httpAttacks {
		a.setup.api = true
		t.Run(a.name, a.stage)
	}
}

// post returns a request with commands; fields are further header lines.
func post(body []byte, fields string) []byte {
	return append(fmt.Appendf(nil, "POST /api HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: %d\r\n%s\r\n", len(body), fields), body...)
}

// batch returns the body of a request that repeats a command until it is about size bytes long.
func batch(command string, size int) []byte {
	n := max(size/(len(command)+1), 1)
	return []byte(`{"body":[` + strings.Repeat(command+",", n-1) + command + "]}")
}

// answer reads a response and returns its status.
func (c *client) answer() int {
	c.t.Helper()
	res, err := http.ReadResponse(c.r, nil)
	if err != nil {
		c.t.Fatalf("response: %v", err)
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		c.t.Fatalf("body: %v", err)
	}
	return res.StatusCode
}

// crowd sends a request from n connections at once, rounds times each, and wants it answered with one of
// the statuses.
func crowd(t *testing.T, s *server, n, rounds int, request []byte, statuses ...int) {
	t.Helper()
	var conns []*client
	for range n {
		conns = append(conns, s.dial(t))
	}
	var wg sync.WaitGroup
	for _, c := range conns {
		wg.Go(func() { // ends with the answers, or the deadline of c
			for range rounds {
				if _, err := c.Write(request); err != nil {
					t.Errorf("request: %v", err)
					return
				}
				res, err := http.ReadResponse(c.r, nil)
				if err != nil {
					t.Errorf("response: %v", err)
					return
				}
				_, _ = io.Copy(io.Discard, res.Body)
				_ = res.Body.Close()
				ok := false
				for _, want := range statuses {
					ok = ok || res.StatusCode == want
				}
				if !ok {
					t.Errorf("answered %d, want one of %d", res.StatusCode, statuses)
					return
				}
			}
		})
	}
	wg.Wait()
}

var httpAttacks = []attack{
	{"batches of 15,000 emits", setup{}, time.Second, func(t *testing.T, s *server) {
		crowd(t, s, 8, 1+scale(20)/10, post(batch(`{"topic":"event","action":"emit","eventName":"innocent/not","data":{"a":[1,2,3]}}`, mib-200), ""), 200, 503)
	}},
	{"batches of writes to one record", setup{}, time.Second, func(t *testing.T, s *server) {
		crowd(t, s, 8, 2, post(batch(`{"topic":"record","action":"write","recordName":"r","data":{"a":[1,2,3]}}`, scale(mib/2)), ""), 200, 503)
	}},
	{"reads of a large record", setup{}, time.Second, func(t *testing.T, s *server) {
		crowd(t, s, 1, 1, post([]byte(`{"body":[{"topic":"record","action":"write","recordName":"big","data":["`+strings.Repeat("x", 900_000)+`"]}]}`), ""), 200)
		crowd(t, s, 4, 1, post(batch(`{"topic":"record","action":"read","recordName":"big"}`, scale(mib/2)), ""), 200, 503)
	}},
	{"calls of nobody", setup{}, time.Second, func(t *testing.T, s *server) {
		crowd(t, s, 8, 2, post(batch(`{"topic":"rpc","action":"make","rpcName":"none"}`, scale(mib/2)), ""), 200, 503)
	}},
	{"bombs", setup{}, time.Second, func(t *testing.T, s *server) {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		_, _ = w.Write(bytes.Repeat([]byte(" "), 200*mib))
		_ = w.Close()
		crowd(t, s, max(scale(50), 4), 2, post(b.Bytes()[:min(b.Len(), 200_000)], "Content-Encoding: gzip\r\nConnection: keep-alive\r\n")[:], 400)
	}},
	{"bodies that never end", setup{}, time.Second, func(t *testing.T, s *server) {
		request := post(bytes.Repeat([]byte(" "), mib), "")
		for range scale(400) {
			c := s.dial(t)
			_, _ = c.Write(request[:len(request)/2])
		}
	}},
	{"connections that stay", setup{}, 2 * time.Second, func(t *testing.T, s *server) {
		request := post(batch(`{"topic":"event","action":"emit","eventName":"e"}`, 1), "")
		var conns []*client
		for range scale(4000) {
			c := s.dial(t)
			c.send(request)
			conns = append(conns, c)
		}
		served, refused := 0, 0
		for _, c := range conns {
			switch status := c.answer(); status {
			case 200:
				served++
			case 503:
				refused++
			default:
				t.Fatalf("answered %d", status)
			}
		}
		if served == 0 {
			t.Errorf("nobody was served, %d were refused", refused)
		}
		t.Logf("%d served, %d refused", served, refused)
	}},
	{"endless pipelines", setup{}, time.Second, func(t *testing.T, s *server) {
		request := post(batch(`{"topic":"event","action":"emit","eventName":"e"}`, 1), "")
		for range 10 {
			c := s.dial(t)
			_ = c.SetWriteDeadline(time.Now().Add(500 * time.Millisecond)) // the server stops reading when nobody takes its answers
			_, _ = c.Write(bytes.Repeat(request, scale(200_000)))
		}
	}},
}
