// Package webhook asks an HTTP service who a client is: auth type "http".
//
// An attempt is one POST with {"connectionData": …, "authData": …}; the answer's status says yes or
// no, its body who the user is. Answers with certain statuses, and none at all, are asked for again.
//
// # Invariants
//   - Requests wait in a Pool and never hold up a loop; how many are made at a time is the Pool's size.
//   - Only what the configuration names is asked, by http or https. A redirect is followed twice at
//     most, as a GET without the credentials in its body, never from https to http, and without the
//     promoted headers to another host.
//   - An answer that is not understood lets nobody in.
//
// Cost: one request, on a connection that is kept. Stability: the requests are stable, the Go API
// internal, may change. Source: spec/auth.md §6.
package webhook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"deepstream-fast/auth"
)

const (
	// Concurrency is how many requests are made at a time by default.
	Concurrency = 64

	responseBytesMax = 1 << 20
	loggedBytesMax   = 512 // of the body of a failing webhook
	redirectsMax     = 2
	idleTimeout      = 90 * time.Second
)

// Options configures a Webhook. There are no defaults: the official server has none.
type Options struct {
	URL       *url.URL // http or https, with a host
	Permitted []int    // statuses that mean success
	Retry     []int    // statuses to ask again after; they win over Permitted
	Attempts  int      // further requests after the first
	Interval  time.Duration
	Timeout   time.Duration // of one request with its redirects and its body
	Promote   []string      // members of the credentials that become request headers
	Report    bool          // tell the client what was wrong, instead of leaving it to the next handler
	Pool      *auth.Pool
	Log       *slog.Logger

	Life context.Context // requests end with it; nil: with their Timeout only
}

// Validate returns an error that names the first option that can't be used.
func (o *Options) Validate() error {
	switch {
	case o.URL == nil || o.URL.Host == "" || o.URL.Scheme != "http" && o.URL.Scheme != "https":
		return errors.New("auth: endpointUrl must be an http or https URL with a host")
	case len(o.Permitted) == 0:
		return errors.New("auth: permittedStatusCodes is empty: nobody could log in")
	case o.Timeout <= 0:
		return errors.New("auth: requestTimeout must be positive")
	case o.Attempts < 0 || o.Interval < 0:
		return errors.New("auth: retryAttempts and retryInterval must not be negative")
	}
	for _, name := range o.Promote {
		if !ValidHeader(name) {
			return fmt.Errorf("auth: promoteToHeader: %q can't be the name of a header", name)
		}
	}
	return nil
}

// ValidHeader reports whether name can be that of a request header. Source: RFC 9110 §5.6.2.
func ValidHeader(name string) bool {
	for _, c := range []byte(name) {
		letter := c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9'
		if !letter && !strings.ContainsRune("!#$%&'*+-.^_`|~", rune(c)) {
			return false
		}
	}
	return name != ""
}

// Webhook asks one endpoint. It implements auth.Authenticator.
type Webhook struct {
	// Set by New, then constant.
	opts   Options
	client *http.Client
	report *auth.Reporter
}

// New returns a Webhook.
func New(o Options) (*Webhook, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	if o.Life == nil {
		o.Life = context.Background()
	}
	w := &Webhook{opts: o, report: auth.NewReporter(o.Log)}
	w.client = &http.Client{
		Transport: &http.Transport{
			Proxy:                 http.ProxyFromEnvironment,
			MaxConnsPerHost:       o.Pool.Workers(),
			MaxIdleConnsPerHost:   o.Pool.Workers(),
			IdleConnTimeout:       idleTimeout,
			TLSHandshakeTimeout:   o.Timeout,
			ResponseHeaderTimeout: o.Timeout,
			ForceAttemptHTTP2:     true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return w, nil
}

// Close gives up the connections that are idle. Requests under way are completed, so that a Webhook can
// be replaced while clients log in.
func (w *Webhook) Close() error {
	w.client.CloseIdleConnections()
	return nil
}

// Authenticate implements auth.Authenticator.
func (w *Webhook) Authenticate(r *auth.Request, done func(auth.Result)) {
	w.opts.Pool.Submit(r, func() auth.Result { return w.ask(r) }, done)
}

// ask makes the first request and the further ones.
func (w *Webhook) ask(r *auth.Request) auth.Result {
	body, err := encode(r)
	if err != nil {
		w.report.Warn("encode", "a login can't be put into a webhook request", "error", err)
		return w.refuse(auth.Result{})
	}
	for left := w.opts.Attempts; ; left-- {
		a, err := w.request(r, body)
		switch {
		case err != nil:
			w.report.Warn("transport", "the authentication webhook can't be asked", "error", withoutURL(err))
		case slices.Contains(w.opts.Retry, a.status):
			w.warnStatus(a)
		default:
			return w.judge(a)
		}
		if left == 0 || !w.pause(r) {
			w.report.Warn("exhausted", "the authentication webhook gave no answer, and will not be asked again for this login")
			return w.refuse(auth.Refusal("AUTH_RETRY_ATTEMPTS_EXCEEDED"))
		}
	}
}

// pause waits for the next attempt, and reports whether there is somebody to make it for.
func (w *Webhook) pause(r *auth.Request) bool {
	timer := time.NewTimer(w.opts.Interval)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-w.opts.Life.Done():
		return false
	}
	return !r.Abandoned()
}

// judge turns an answer into a result.
func (w *Webhook) judge(a answer) auth.Result {
	w.warnStatus(a)
	if !slices.Contains(w.opts.Permitted, a.status) {
		return w.refuse(auth.Result{ClientData: reasonOf(a)})
	}
	result, err := resultOf(a)
	if err != nil {
		w.report.Warn("answer", "the authentication webhook's answer is not understood", "error", err)
		return w.refuse(auth.Result{})
	}
	if !result.Valid {
		return w.refuse(result)
	}
	return result
}

// warnStatus logs an answer that says that the webhook has a problem.
func (w *Webhook) warnStatus(a answer) {
	if a.status >= http.StatusInternalServerError {
		w.report.Warn("status", "the authentication webhook has a problem", "status", a.status, "body", string(a.body[:min(len(a.body), loggedBytesMax)]))
	}
}

// refuse returns result, or no opinion if refusals are not to be told.
func (w *Webhook) refuse(result auth.Result) auth.Result {
	if !w.opts.Report {
		return auth.Unknown
	}
	return result
}

// request makes one request and follows its redirects.
func (w *Webhook) request(r *auth.Request, body []byte) (answer, error) {
	ctx, cancel := context.WithTimeout(w.opts.Life, w.opts.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.opts.URL.String(), bytes.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	req.Header.Set("Content-Type", "application/json; charset=utf-8")
	req.Header.Set("Accept", "application/json")
	promote(req.Header, w.opts.Promote, r.Data)
	for hops := 0; ; hops++ {
		a, next, err := w.fetch(req)
		if err != nil || next == nil || hops == redirectsMax {
			return a, err
		}
		if req, err = w.redirected(req, next); err != nil {
			return answer{}, err
		}
	}
}

// fetch makes one request. next is where the answer redirects to, nil if it does not.
func (w *Webhook) fetch(req *http.Request) (a answer, next *url.URL, err error) {
	resp, err := w.client.Do(req)
	if err != nil {
		return a, nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, responseBytesMax+1))
	if err != nil {
		return a, nil, fmt.Errorf("read the answer: %w", err)
	}
	if len(body) > responseBytesMax {
		return a, nil, fmt.Errorf("the answer is larger than %d bytes", responseBytesMax)
	}
	a = answer{status: resp.StatusCode, contentType: resp.Header.Get("Content-Type"), body: body}
	switch resp.StatusCode {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		if resp.Header.Get("Location") != "" {
			next, err = resp.Location()
		}
	}
	return a, next, err
}

// redirected returns the request that follows from one that was redirected: a GET, which carries no
// credentials to another host.
func (w *Webhook) redirected(from *http.Request, to *url.URL) (*http.Request, error) {
	if to.Host == "" || to.Scheme != "http" && to.Scheme != "https" || from.URL.Scheme == "https" && to.Scheme == "http" {
		return nil, fmt.Errorf("a redirect from %s to %s is not followed", from.URL.Scheme, to.Scheme)
	}
	req, err := http.NewRequestWithContext(from.Context(), http.MethodGet, to.String(), http.NoBody)
	if err != nil {
		return nil, err
	}
	req.Header = from.Header.Clone()
	req.Header.Del("Content-Type")
	if to.Host != from.URL.Host {
		for _, name := range w.opts.Promote {
			req.Header.Del(name)
		}
	}
	return req, nil
}

// withoutURL takes the URL, which may hold a secret, out of an error of the client.
func withoutURL(err error) error {
	var full *url.Error
	if errors.As(err, &full) {
		return full.Err
	}
	return err
}
