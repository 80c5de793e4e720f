package server

import (
	"context"
	"log/slog"
	"net"
	"net/http"

	"deepstream-fast/auth"
	"deepstream-fast/config"
	"deepstream-fast/engine"
	"deepstream-fast/httpapi"
	"deepstream-fast/session"
)

// web is the HTTP API of a running server, nil if none is configured.
type web struct{ api *httpapi.Server }

// openWeb starts what serves the connections that the engine hands over.
func openWeb(cfg *config.Config, node *session.Node, who auth.Authenticator, f *front, log *slog.Logger) *web {
	ep := cfg.Endpoint("http")
	if ep == nil {
		return nil
	}
	f.api = true
	return &web{api: httpapi.New(webOptions(cfg, &ep.HTTP, node, who, f, log))}
}

func webOptions(cfg *config.Config, ep *config.HTTPEndpoint, node *session.Node, who auth.Authenticator, f *front, log *slog.Logger) httpapi.Options {
	if who == nil {
		who = auth.Open{}
	}
	h := &cfg.HTTPServer.Options
	o := httpapi.Options{
		Node: node, Auth: who, Origins: f.origins, Ready: f.ready.Load, Log: log,
		BodyBytesMax:   int(h.MaxMessageSize),
		IdleTimeout:    h.HTTPIdleTimeout.Std(),
		AnswerBytesMax: int(ep.MaxResponseSize),
		MemoryBytesMax: int64(ep.MaxMemory),
		RequestsMax:    ep.MaxConcurrentRequests,
		API: &httpapi.API{
			PostPath: ep.PostPath, GetPath: ep.GetPath,
			AllowAuthData: ep.AllowAuthData, LogInvalidAuthData: ep.LogInvalidAuthData,
			RequestTimeout: ep.RequestTimeout.Std(),
			CommandsMax:    ep.MaxCommandsPerRequest,
		},
	}
	// Answered by front on a connection's first requests, here on those behind one that has left the loop.
	o.Mounts = append(o.Mounts, httpapi.Mount{Path: h.HealthCheckPath, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusOK)
	})})
	if ep.EnableAuthEndpoint {
		o.API.AuthPath = ep.AuthPath
	}
	return o
}

// requestsMax returns how many requests without a connection the sessions are to take at a time.
func requestsMax(cfg *config.Config) int {
	if ep := cfg.Endpoint("http"); ep != nil {
		return ep.HTTP.MaxConcurrentRequests
	}
	return 0
}

// handoff returns what takes over HTTP connections, nil if nobody does.
func (w *web) handoff() func(net.Conn) {
	if w == nil {
		return nil
	}
	return w.api.Take
}

// close stops serving; nobody is connected.
func (w *web) close() {
	if w != nil {
		ended, cancel := context.WithCancel(context.Background())
		cancel()
		_ = w.api.Shutdown(ended) // which only says that it was not waited for
	}
}

// drain lets requests in progress end, beside whatever else is being stopped. The caller calls finish when
// the engine has stopped: whoever still waits then is not going to be answered.
func (w *web) drain(ctx context.Context) (finish func()) {
	if w == nil {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() { // ends with ctx or finish
		defer close(ended)
		_ = w.api.Shutdown(ctx) // the engine reports who was cut off
	}()
	return func() {
		cancel()
		<-ended
	}
}

// HTTPStats returns the numbers of the HTTP API and of the connections handed over to it.
func (s *Server) HTTPStats() (httpapi.Stats, engine.HTTPStats) {
	var api httpapi.Stats
	if s.web != nil {
		api = s.web.api.Stats()
	}
	return api, s.engine.HTTPStats()
}
