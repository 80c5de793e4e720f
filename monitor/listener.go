package monitor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Limits of the listener. Who watches is few.
const (
	connsMax         = 64 // at a time; further ones wait in the kernel's queue
	scrapesMax       = 4  // at a time; further ones are answered 503
	headerBytesMax   = 16 << 10
	readTimeout      = 5 * time.Second // of a request, which has no body worth mention
	writeTimeout     = 30 * time.Second
	profileTimeout   = 3 * time.Minute // of an answer, where profiles are served
	idleTimeout      = 90 * time.Second
	shutdownPatience = time.Second // for answers under way
)

// ListenerOptions configures a Listener.
type ListenerOptions struct {
	Host  string // address to listen on
	Port  int    // 0: chosen by the kernel
	Pprof bool   // serve profiles

	Metrics *prometheus.Registry
	// Live returns why the server should be restarted, "" if it should not.
	Live func() string
	// Ready returns why no client should be sent here now, "" if one may be.
	Ready func() string
	Log   *slog.Logger
}

// Listener serves metrics, health checks and profiles over HTTP, apart from clients.
type Listener struct {
	// Set by Listen, then constant.
	opts   ListenerOptions
	socket net.Listener
	server *http.Server
	done   sync.WaitGroup // the goroutine that accepts
}

// Listen opens the listener and serves. Close ends it. The error names the address.
func Listen(opts ListenerOptions) (*Listener, error) {
	socket, err := net.Listen("tcp", net.JoinHostPort(opts.Host, fmt.Sprint(opts.Port)))
	if err != nil {
		return nil, fmt.Errorf("monitor: %w", err)
	}
	l := &Listener{opts: opts, socket: limit(socket, connsMax)}
	l.server = &http.Server{
		Handler:        l.guard(l.routes()),
		ReadTimeout:    readTimeout,
		WriteTimeout:   writeTimeout,
		IdleTimeout:    idleTimeout,
		MaxHeaderBytes: headerBytesMax,
		ErrorLog:       slog.NewLogLogger(opts.Log.Handler(), slog.LevelDebug),
	}
	if opts.Pprof {
		l.server.WriteTimeout = profileTimeout
	}
	l.done.Go(l.serve) // ends when Close closes the socket, and waits for it
	return l, nil
}

func (l *Listener) serve() {
	if err := l.server.Serve(l.socket); !errors.Is(err, http.ErrServerClosed) {
		l.opts.Log.Error("monitoring has ended: "+err.Error(), eventKey, "PLUGIN_ERROR")
	}
}

// Addr returns the address listened on.
func (l *Listener) Addr() *net.TCPAddr { return l.socket.Addr().(*net.TCPAddr) }

// Close gives answers under way a moment and ends the listener.
func (l *Listener) Close() {
	ctx, cancel := context.WithTimeout(context.Background(), shutdownPatience)
	defer cancel()
	if err := l.server.Shutdown(ctx); err != nil {
		_ = l.server.Close() // whoever is left had its moment
	}
	l.done.Wait()
}

func (l *Listener) routes() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(l.opts.Metrics, promhttp.HandlerOpts{
		MaxRequestsInFlight: scrapesMax,
		ErrorLog:            slog.NewLogLogger(l.opts.Log.Handler(), slog.LevelWarn),
	}))
	mux.HandleFunc("GET /livez", health(l.opts.Live))
	mux.HandleFunc("GET /readyz", health(l.opts.Ready))
	mux.HandleFunc("GET /{$}", l.index)
	if l.opts.Pprof {
		mux.HandleFunc("GET /debug/pprof/", pprof.Index)
		mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
		mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
		mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
		mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
		recorder := &contention{}
		mux.HandleFunc("GET /debug/pprof/mutex", recorder.serve("mutex"))
		mux.HandleFunc("GET /debug/pprof/block", recorder.serve("block"))
	}
	return mux
}

// health answers 200, or 503 with the reason.
func health(check func() string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		why := check()
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("Cache-Control", "no-store")
		if why != "" {
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = io.WriteString(w, why+"\n")
			return
		}
		_, _ = io.WriteString(w, "ok\n")
	}
}

func (l *Listener) index(w http.ResponseWriter, _ *http.Request) {
	pages := "deepstream-fast\n\n/metrics  for Prometheus\n/livez    503: restart it\n/readyz   503: send it no clients\n"
	if l.opts.Pprof {
		pages += "/debug/pprof/  profiles\n"
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = io.WriteString(w, pages)
}

// guard refuses requests that a page in a browser makes under a name of its own that it has let point
// here: on loopback everybody who may ask knows the address.
func (l *Listener) guard(next http.Handler) http.Handler {
	if !l.Addr().IP.IsLoopback() {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !isLocalName(r.Host) {
			http.Error(w, "ask by address, or as localhost", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// isLocalName reports whether a Host header is an address or localhost.
func isLocalName(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	return strings.EqualFold(host, "localhost") || net.ParseIP(host) != nil
}

// limited is a listener with at most so many connections open as there is room in slots.
type limited struct {
	net.Listener
	slots chan struct{}
	ended chan struct{}
	once  sync.Once
}

func limit(l net.Listener, conns int) net.Listener {
	return &limited{Listener: l, slots: make(chan struct{}, conns), ended: make(chan struct{})}
}

// Accept implements net.Listener.
func (l *limited) Accept() (net.Conn, error) {
	select {
	case l.slots <- struct{}{}:
	case <-l.ended:
		return nil, net.ErrClosed
	}
	c, err := l.Listener.Accept()
	if err != nil {
		<-l.slots
		return nil, err
	}
	return &limitedConn{Conn: c, release: sync.OnceFunc(func() { <-l.slots })}, nil
}

// Close implements net.Listener.
func (l *limited) Close() error {
	l.once.Do(func() { close(l.ended) })
	return l.Listener.Close()
}

type limitedConn struct {
	net.Conn
	release func()
}

// Close implements net.Conn.
func (c *limitedConn) Close() error {
	err := c.Conn.Close()
	c.release()
	return err
}
