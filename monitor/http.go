package monitor

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"log/slog"
	"net/http"

	"deepstream-fast/internal/warn"
)

// HTTPOptions configures the monitor of type http.
type HTTPOptions struct {
	URL         string // path that it answers
	HeaderKey   string // request header that authorises; in any case
	HeaderValue string // what it must be
	Open        bool   // answer everybody
}

// HTTP is the monitor of type http: a report per request. It is an http.Handler for the public server. Safe
// for concurrent use.
type HTTP struct {
	// Set by NewHTTP, then constant.
	opts     HTTPOptions
	reporter *Reporter
	secret   [sha256.Size]byte // of HeaderValue, so that lengths compare as well
	warnings *warn.Log
}

// NewHTTP returns the monitor.
func NewHTTP(opts HTTPOptions, reporter *Reporter, log *slog.Logger) *HTTP {
	if opts.Open {
		log.Warn("monitoring is open to everybody who can connect", eventKey, "PLUGIN_INITIALIZATION_ERROR", "url", opts.URL)
	}
	return &HTTP{opts: opts, reporter: reporter, secret: sha256.Sum256([]byte(opts.HeaderValue)), warnings: warn.New(log)}
}

// URL returns the path that the monitor is to be found at.
func (h *HTTP) URL() string { return h.opts.URL }

// ServeHTTP implements http.Handler. Whoever may not ask gets the answer of a path that is not there.
func (h *HTTP) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet {
		notFound(w)
		return
	}
	if !h.allowed(r) {
		h.warnings.Warn("refused", "refused a request for monitoring without the right header", eventKey, "AUTH_ERROR", "url", h.opts.URL)
		notFound(w)
		return
	}
	body, err := json.Marshal(h.reporter.Report())
	if err != nil { // there is nothing in a report that cannot be encoded
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(body) // who does not take the answer does not need it
}

func notFound(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/plain")
	w.WriteHeader(http.StatusNotFound)
	_, _ = w.Write([]byte("Endpoint not found."))
}

// allowed compares the header with the secret, in a time that tells nothing about either. Without a
// secret nobody is allowed.
func (h *HTTP) allowed(r *http.Request) bool {
	if h.opts.Open {
		return true
	}
	got := sha256.Sum256([]byte(r.Header.Get(h.opts.HeaderKey)))
	same := subtle.ConstantTimeCompare(got[:], h.secret[:]) == 1
	return same && h.opts.HeaderKey != "" && h.opts.HeaderValue != ""
}
