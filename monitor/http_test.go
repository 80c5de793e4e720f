package monitor

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestHTTPAnswersWhoMayAsk(t *testing.T) {
	secret := HTTPOptions{URL: "/stats", HeaderKey: "X-Monitoring-Key", HeaderValue: "s3cret"}
	for name, c := range map[string]struct {
		opts   HTTPOptions
		header []string
		method string
		want   int
	}{
		"right header":      {opts: secret, header: []string{"X-Monitoring-Key", "s3cret"}, want: 200},
		"in another case":   {opts: secret, header: []string{"x-monitoring-KEY", "s3cret"}, want: 200},
		"no header":         {opts: secret, want: 404},
		"wrong value":       {opts: secret, header: []string{"X-Monitoring-Key", "s3cre"}, want: 404},
		"longer value":      {opts: secret, header: []string{"X-Monitoring-Key", "s3cretx"}, want: 404},
		"another method":    {opts: secret, header: []string{"X-Monitoring-Key", "s3cret"}, method: http.MethodPost, want: 404},
		"open":              {opts: HTTPOptions{URL: "/stats", Open: true}, want: 200},
		"no secret at all":  {opts: HTTPOptions{URL: "/stats"}, want: 404},
		"no value":          {opts: HTTPOptions{URL: "/stats", HeaderKey: "X-Key"}, header: []string{"X-Key", ""}, want: 404},
		"no name of header": {opts: HTTPOptions{URL: "/stats", HeaderValue: "v"}, want: 404},
	} {
		t.Run(name, func(t *testing.T) {
			h := NewHTTP(c.opts, NewReporter(always(&Sample{Nodes: 1}), counterOf()), silent)
			r := httptest.NewRequest(c.method, "/stats", nil)
			if len(c.header) > 0 {
				r.Header.Set(c.header[0], c.header[1])
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if w.Code != c.want {
				t.Fatalf("status %d, want %d", w.Code, c.want)
			}
			if body := w.Body.String(); c.want == 200 && (!strings.HasPrefix(body, `{"from":`) || w.Header().Get("Content-Type") != "application/json") {
				t.Errorf("answered %q as %s", body, w.Header().Get("Content-Type"))
			} else if c.want == 404 && body != "Endpoint not found." {
				t.Errorf("refused with %q", body)
			}
			if h.URL() != "/stats" {
				t.Errorf("URL %q", h.URL())
			}
		})
	}
}

// A flood of wrong guesses becomes a line, and the secret is in none.
func TestHTTPRefusalsAreLoggedOnce(t *testing.T) {
	var out bytes.Buffer
	events := CountEvents(slog.NewTextHandler(&out, nil))
	h := NewHTTP(HTTPOptions{URL: "/stats", HeaderKey: "K", HeaderValue: "s3cret"}, NewReporter(always(&Sample{}), events), slog.New(events))
	for range 1000 {
		r := httptest.NewRequest(http.MethodGet, "/stats", nil)
		r.Header.Set("K", "guess")
		h.ServeHTTP(httptest.NewRecorder(), r)
	}
	lines := strings.Count(out.String(), "AUTH_ERROR")
	if lines < 1 || lines > 100 || strings.Contains(out.String(), "s3cret") || strings.Contains(out.String(), "guess") {
		t.Errorf("%d lines: %s", lines, out.String())
	}
}

func TestHTTPWarnsThatItIsOpen(t *testing.T) {
	events := CountEvents(slog.DiscardHandler)
	NewHTTP(HTTPOptions{Open: true}, nil, slog.New(events))
	if got := events.Events(); len(got) != 1 || got[0].Name != "PLUGIN_INITIALIZATION_ERROR" {
		t.Errorf("logged %v", got)
	}
}
