package server

import (
	"deepstream-fast/codec/ws"
	"deepstream-fast/config"
	"deepstream-fast/engine"
)

// front answers what is decided by an HTTP request head alone.
type front struct {
	cfg   *config.HTTPServerOptions
	path  string
	ready readiness
	kept  bool // somebody keeps the listener: a newcomer is not refused but sent to the next server
}

func newFront(cfg *config.Config, path string) *front {
	return &front{cfg: &cfg.HTTPServer.Options, path: path}
}

// upgrade judges a WebSocket request: 0 lets it in.
func (f *front) upgrade(h *ws.Head) int {
	switch {
	case string(h.Path) != f.path:
		return 404
	case !f.ready.Load() && !f.kept:
		return 503 // counts as a failed attempt with the client, so that it backs off
	case f.cfg.HostURL != "" && string(h.Host) != f.cfg.HostURL:
		return 403
	case f.cfg.CheckWebSocketOrigin && !f.originAllowed(h):
		return 403
	}
	return 0
}

func (f *front) originAllowed(h *ws.Head) bool {
	if f.cfg.AllowAllOrigins || h.Origin == nil { // not a browser
		return true
	}
	for _, o := range f.cfg.Origins {
		if o == string(h.Origin) {
			return true
		}
	}
	return false
}

// answer answers a request that is not for a WebSocket.
func (f *front) answer(h *ws.Head) engine.Response {
	switch {
	case string(h.Path) == f.cfg.HealthCheckPath && (string(h.Method) == "GET" || string(h.Method) == "HEAD"):
		if !f.ready.Load() {
			return engine.Response{Status: 503, Type: "text/plain", Body: "draining\n"}
		}
		return engine.Response{Status: 200, Type: "application/json"}
	case string(h.Path) == f.path:
		return engine.Response{Status: 426, Type: "text/plain", Body: "this path speaks WebSocket\n"}
	}
	return engine.Response{Status: 404, Type: "text/plain", Body: "not found\n"}
}
