package httpapi

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"strings"

	"deepstream-fast/codec/ws"
	"deepstream-fast/engine"
	"deepstream-fast/internal/warn"
)

// Server serves the HTTP connections it is given. Safe for concurrent use.
type Server struct {
	// Set by New, then constant.
	opts     Options
	http     *http.Server
	listener *engine.Listener
	stop     context.CancelFunc
	stopped  <-chan struct{} // closed when nobody may wait any longer
	closing  context.Context // ends when Shutdown begins
	close    context.CancelFunc

	// Safe from any goroutine.
	stats    counters
	ids      ids
	warnings *warn.Log
}

// New returns a Server that serves what Take gives it, until Shutdown.
func New(o Options) *Server {
	s := &Server{opts: o.withDefaults()}
	s.warnings = warn.New(s.opts.Log)
	s.listener = engine.NewListener(s.opts.Addr)
	ctx, cancel := context.WithCancel(context.Background())
	s.stop, s.stopped = cancel, ctx.Done()
	s.closing, s.close = context.WithCancel(context.Background())
	s.ids.init()
	s.http = &http.Server{
		Handler:           s,
		ReadHeaderTimeout: s.opts.HeadTimeout,
		IdleTimeout:       s.opts.IdleTimeout,
		WriteTimeout:      s.opts.longest(), // for what finish does not time
		MaxHeaderBytes:    ws.HeadBytesMax,
		ErrorLog:          slog.NewLogLogger(s.opts.Log.Handler(), slog.LevelDebug), // all of it is about peers
	}
	if s.opts.API != nil && s.opts.API.MessageBurst > 0 {
		s.http.ConnContext = openAccount
	}
	go func() { _ = s.http.Serve(s.listener) }() // ends with Shutdown, which reports
	return s
}

// Take serves a connection. It is an engine.Options.Handoff.
func (s *Server) Take(conn net.Conn) { s.listener.Take(conn) }

// Shutdown takes no further connection, lets requests in progress end, and returns when they have or ctx
// ends; then it cuts off what is left. Bodies that are still on their way get little time: whoever sends
// one byte a minute must not make every stop a long one, and a failure.
func (s *Server) Shutdown(ctx context.Context) error {
	s.close()
	err := s.http.Shutdown(ctx)
	s.stop()
	if err != nil {
		_ = s.http.Close()
	}
	return err
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
		// The engine upgrades connections that are new to it. On one that was used before, as proxies do,
		// the end without an answer makes the client try again on another one. RFC 9112 §9.3.1.
		s.stats.refused[RefusedUpgrade].Add(1)
		panic(http.ErrAbortHandler)
	}
	s.stats.inFlight.Add(1)
	defer s.stats.inFlight.Add(-1)
	x := &exchange{s: s, w: w, r: r}
	defer x.end()
	if !s.opts.Ready() {
		w.Header().Set("Connection", "close")
		x.refuse(RefusedNotReady, http.StatusServiceUnavailable, "The server is not ready.")
		return
	}
	allow, problem := s.opts.Origins.Check(r.Header.Get("Origin"), r.Header.Get("Referer"), r.Host)
	if problem != "" {
		x.refuse(RefusedOrigin, http.StatusForbidden, problem)
		return
	}
	w.Header().Set("Access-Control-Allow-Origin", allow)
	if allow != "*" {
		w.Header().Set("Access-Control-Allow-Credentials", "true")
		w.Header().Set("Vary", "Origin")
	}
	s.route(x)
}

// route hands a request to whoever serves its method and path.
func (s *Server) route(x *exchange) {
	mount, name, isRecord := s.mounted(x.r.URL.Path), "", false
	if mount == nil && s.opts.API != nil {
		name, isRecord = s.recordOf(x.r)
	}
	switch method := x.r.Method; {
	case method == http.MethodOptions:
		s.preflight(x)
	case method == http.MethodPost:
		s.post(x)
	case method != http.MethodGet && (method != http.MethodHead || mount == nil && !isRecord):
		x.w.Header().Set("Allow", methods)
		x.refuse(RefusedMethod, http.StatusMethodNotAllowed, "Unsupported method. Supported methods: "+methods)
	case mount != nil:
		mount.ServeHTTP(x.counting(), x.r)
	case isRecord:
		s.read(x, name)
	case s.opts.API != nil && under(x.r.URL.Path, s.opts.API.GetPath):
		x.refuse(RefusedMessage, http.StatusBadRequest, "Reading records via HTTP GET is not yet implemented, please use a post request instead.")
	default:
		x.refuse(RefusedNotFound, http.StatusNotFound, notFound)
	}
}

const notFound = "Endpoint not found."

// post reads a body and hands it to whoever serves its path. The longer path is asked first.
// Source: spec/http-api.md §1.1, §1.3.
func (s *Server) post(x *exchange) {
	body, ok := s.body(x)
	if !ok {
		return
	}
	api, path := s.opts.API, x.r.URL.Path
	switch {
	case api == nil:
		x.refuse(RefusedNotFound, http.StatusNotFound, notFound)
	case api.AuthPath != "" && under(path, api.AuthPath) && (len(api.AuthPath) >= len(api.PostPath) || !under(path, api.PostPath)):
		s.login(x, body)
	case under(path, api.PostPath):
		s.commands(x, body)
	default:
		x.refuse(RefusedNotFound, http.StatusNotFound, notFound)
	}
}

// under reports whether path is prefix or below it.
func under(path, prefix string) bool {
	rest, ok := strings.CutPrefix(path, prefix)
	return ok && (rest == "" || rest[0] == '/' || strings.HasSuffix(prefix, "/"))
}

func (s *Server) mounted(path string) http.Handler {
	for i := range s.opts.Mounts {
		if under(path, s.opts.Mounts[i].Path) {
			return s.opts.Mounts[i].Handler
		}
	}
	return nil
}

// recovered notes a panic. The process lives, and the connection of the request is closed.
func (s *Server) recovered(p any) {
	s.stats.panics.Add(1)
	s.opts.Log.Error("an HTTP request panicked", "event", "PANIC", "panic", p, "stack", string(debug.Stack()))
}
