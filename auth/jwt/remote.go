package jwt

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"deepstream-fast/auth"
)

const (
	keySetBytesMax = 1 << 20
	redirectsMax   = 2
	waitersMax     = auth.QueueMaxDefault // attempts that wait for newer keys; further ones take what there is
	staleMax       = 24 * time.Hour       // keys older than this are good no longer, if newer ones can't be had
)

// remote is a JWKS behind a URL. It is fetched when somebody needs it, and by nobody else: no goroutine
// outlives a fetch.
type remote struct {
	// Set by newRemote, then constant.
	url      string
	client   *http.Client
	interval time.Duration
	cooldown time.Duration
	timeout  time.Duration
	now      func() time.Time
	report   *auth.Reporter

	cached atomic.Pointer[dated]

	mu       sync.Mutex // guards the fields below; a leaf
	asked    time.Time  // start of the last fetch
	fetching bool
	waiters  []func()
}

// dated is a key set and when it was fetched.
type dated struct {
	keys *keySet
	at   time.Time
}

func newRemote(o *Options, report *auth.Reporter) *remote {
	return &remote{
		url: o.KeySetURL.String(), interval: o.Refresh, cooldown: o.Cooldown, timeout: o.Timeout, now: o.Now, report: report,
		client: &http.Client{CheckRedirect: sameSecurity},
	}
}

// sameSecurity lets a redirect pass that is as well protected as the request.
func sameSecurity(req *http.Request, via []*http.Request) error {
	if len(via) > redirectsMax {
		return errors.New("too many redirects")
	}
	if first := via[0].URL.Scheme; req.URL.Scheme != first && req.URL.Scheme != "https" {
		return fmt.Errorf("a redirect from %s to %s is not followed", first, req.URL.Scheme)
	}
	return nil
}

// current implements source.
func (s *remote) current() (*keySet, bool) {
	d := s.cached.Load()
	if d == nil {
		return nil, false
	}
	age := s.now().Sub(d.at)
	if age > s.interval+staleMax {
		return nil, false
	}
	return d.keys, age <= s.interval
}

// refresh implements source. Between two fetches lies the cooldown: then is called at once if the last
// one was a moment ago, and when it has ended if one is under way.
func (s *remote) refresh(then func()) {
	s.mu.Lock()
	wait := s.fetching || s.now().Sub(s.asked) >= s.cooldown
	if !wait || len(s.waiters) >= waitersMax {
		s.mu.Unlock()
		then()
		return
	}
	s.waiters = append(s.waiters, then)
	if !s.fetching {
		s.fetching, s.asked = true, s.now()
		go s.fetch() // ends with the answer, or when the timeout has passed
	}
	s.mu.Unlock()
}

// fetch gets the set and goes on with those who wait for it.
func (s *remote) fetch() {
	keys, err := s.get()
	if err != nil {
		s.report.Warn("fetch", "the key set can't be fetched", "error", err)
	} else {
		s.cached.Store(&dated{keys, s.now()})
	}
	s.mu.Lock()
	waiters := s.waiters
	s.waiters, s.fetching = nil, false
	s.mu.Unlock()
	for _, then := range waiters {
		then()
	}
}

func (s *remote) get() (*keySet, error) {
	ctx, cancel := context.WithTimeout(context.Background(), s.timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url, http.NoBody)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/jwk-set+json, application/json")
	resp, err := s.client.Do(req)
	if err != nil {
		var full *url.Error
		if errors.As(err, &full) { // the URL may hold a secret
			err = full.Err
		}
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("status %d", resp.StatusCode)
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, keySetBytesMax+1))
	if err != nil {
		return nil, err
	}
	if len(text) > keySetBytesMax {
		return nil, fmt.Errorf("larger than %d bytes", keySetBytesMax)
	}
	return parseKeySet(text)
}
