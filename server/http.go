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

// openWeb starts what serves the connections that the engine hands over: commands, and whatever else is
// served on the public port, by path.
func openWeb(cfg *config.Config, node *session.Node, who auth.Authenticator, others map[string]http.Handler, f *front, log *slog.Logger) *web {
	ep := cfg.Endpoint("http")
	if ep == nil && len(others) == 0 {
		return nil
	}
	f.api = true
	h := &cfg.HTTPServer.Options
	o := httpapi.Options{
		Node: node, Auth: who, Origins: f.origins, Ready: f.ready.Load, Log: log,
		BodyBytesMax: int(h.MaxMessageSize),
		IdleTimeout:  h.HTTPIdleTimeout.Std(),
	}
	for path, handler := range others {
		o.Mounts = append(o.Mounts, httpapi.Mount{Path: path, Handler: handler})
	}
	// Answered by front on a connection's first requests, here on those behind one that has left the loop.
	o.Mounts = append(o.Mounts, httpapi.Mount{Path: h.HealthCheckPath, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusOK)
	})})
	if ep != nil {
		serveCommands(&o, &ep.HTTP)
	}
	return &web{api: httpapi.New(o)}
}

// serveCommands makes o serve the HTTP API.
func serveCommands(o *httpapi.Options, ep *config.HTTPEndpoint) {
	o.AnswerBytesMax, o.MemoryBytesMax, o.RequestsMax = int(ep.MaxResponseSize), int64(ep.MaxMemory), ep.MaxConcurrentRequests
	o.API = &httpapi.API{
		PostPath: ep.PostPath, GetPath: ep.GetPath,
		AllowAuthData: ep.AllowAuthData, LogInvalidAuthData: ep.LogInvalidAuthData,
		RequestTimeout: ep.RequestTimeout.Std(),
		CommandsMax:    ep.MaxCommandsPerRequest,
	}
	o.API.MessageInterval, o.API.MessageBurst = messageRate(ep.MaxMessageRate, ep.MessageBurst)
	if ep.EnableAuthEndpoint {
		o.API.AuthPath = ep.AuthPath
	}
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
