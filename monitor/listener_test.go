package monitor

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
)

// startListener returns a listener on loopback and its URL; change may be nil.
func startListener(t *testing.T, change func(*ListenerOptions)) (*Listener, string) {
	t.Helper()
	o := ListenerOptions{
		Host: "127.0.0.1", Metrics: NewRegistry(always(fullSample()), counterOf()), Log: silent,
		Live: func() string { return "" }, Ready: func() string { return "" },
	}
	if change != nil {
		change(&o)
	}
	l, err := Listen(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	return l, fmt.Sprintf("http://%s", l.Addr())
}

func TestListenerServes(t *testing.T) {
	_, url := startListener(t, nil)
	for path, want := range map[string]struct {
		status int
		text   string
	}{
		"/":                    {200, "/metrics"},
		"/metrics":             {200, "\ndeepstream_connections 180\n"},
		"/livez":               {200, "ok\n"},
		"/readyz":              {200, "ok\n"},
		"/other":               {404, ""},
		"/debug/pprof/":        {404, ""},
		"/debug/pprof/profile": {404, ""},
		"/debug/pprof/cmdline": {404, ""},
		"/debug/pprof/heap":    {404, ""},
		"/debug/pprof/symbol":  {404, ""},
		"/debug/vars":          {404, ""},
		"/metrics/../livez":    {200, "ok\n"},
	} {
		if status, body := get(t, url+path); status != want.status || !strings.Contains(body, want.text) {
			t.Errorf("%s: %d %.200q, want %d and %q", path, status, body, want.status, want.text)
		}
	}
	resp, err := http.Post(url+"/metrics", "text/plain", strings.NewReader("x"))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("POST answered %d", resp.StatusCode)
	}
}

func TestHealthFollowsTheServer(t *testing.T) {
	var why atomic.Value
	why.Store("")
	_, url := startListener(t, func(o *ListenerOptions) {
		o.Live = func() string { return "live: " + why.Load().(string) }
		o.Ready = func() string { return why.Load().(string) }
	})
	for _, step := range []struct {
		why    string
		status int
		body   string
	}{{"starting", 503, "starting\n"}, {"", 200, "ok\n"}, {"draining", 503, "draining\n"}} {
		why.Store(step.why)
		if status, body := get(t, url+"/readyz"); status != step.status || body != step.body {
			t.Errorf("%q: %d %q", step.why, status, body)
		}
		if status, body := get(t, url+"/livez"); status != 503 || body != "live: "+step.why+"\n" {
			t.Errorf("%q: %d %q", step.why, status, body)
		}
	}
}

func TestProfilesWhereAsked(t *testing.T) {
	_, url := startListener(t, func(o *ListenerOptions) { o.Pprof = true })
	for _, path := range []string{"/debug/pprof/", "/debug/pprof/heap?debug=1", "/debug/pprof/cmdline", "/debug/pprof/goroutine?debug=1"} {
		if status, _ := get(t, url+path); status != 200 {
			t.Errorf("%s: %d", path, status)
		}
	}
	if _, body := get(t, url+"/"); !strings.Contains(body, "pprof") {
		t.Errorf("the index is %q", body)
	}
}

// A page whose name was made to point to loopback may not read what is there.
func TestOnlyLocalNames(t *testing.T) {
	_, url := startListener(t, nil)
	for host, want := range map[string]int{
		"localhost": 200, "LOCALHOST:6021": 200, "127.0.0.1": 200, "127.0.0.1:80": 200, "[::1]:6021": 200, "[::1]": 200,
		"evil.example": 403, "evil.example:6021": 403, "localhost.evil.example": 403, "127.0.0.1.evil.example": 403,
	} {
		if status, _ := get(t, url+"/livez", "Host", host); status != want {
			t.Errorf("Host %q: %d, want %d", host, status, want)
		}
	}
}

func TestTakenPortIsNamed(t *testing.T) {
	l, _ := startListener(t, nil)
	_, err := Listen(ListenerOptions{Host: "127.0.0.1", Port: l.Addr().Port, Log: silent})
	if err == nil || !strings.Contains(err.Error(), fmt.Sprint(l.Addr().Port)) {
		t.Errorf("got %v", err)
	}
}

// Connections beyond the limit wait until others have gone.
func TestConnectionsAreLimited(t *testing.T) {
	socket, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := limit(socket, 2)
	accepted, ended := make(chan net.Conn), make(chan error)
	go func() { // ends with the listener
		for {
			c, err := l.Accept()
			if err != nil {
				ended <- err
				return
			}
			accepted <- c
		}
	}()
	for range 3 {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	first := <-accepted
	<-accepted
	if n := len(l.(*limited).slots); n != 2 {
		t.Fatalf("%d connections hold a slot", n)
	}
	select {
	case <-accepted:
		t.Fatal("a third connection was accepted")
	default:
	}
	_ = first.Close()
	_ = first.Close() // gives its place back once
	(<-accepted).Close()
	_ = l.Close()
	if err := <-ended; err == nil {
		t.Error("Accept does not end")
	}
}
