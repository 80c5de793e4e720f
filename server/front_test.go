package server

import (
	"testing"

	"deepstream-fast/codec/ws"
	"deepstream-fast/config"
)

// From where a WebSocket may be opened: the list of origins is applied if that is asked for, and to browsers.
func TestUpgradeOrigins(t *testing.T) {
	const listed, other = "https://a.example", "https://b.example"
	tests := []struct {
		name        string
		check, all  bool
		hostURL     string
		origin      []byte
		host        string
		wantRefused bool
	}{
		{name: "not checked", origin: []byte(other)},
		{name: "all allowed", check: true, all: true, origin: []byte(other)},
		{name: "listed", check: true, origin: []byte(listed)},
		{name: "not listed", check: true, origin: []byte(other), wantRefused: true},
		{name: "listed but for its case", check: true, origin: []byte("https://A.example"), wantRefused: true},
		{name: "empty", check: true, origin: []byte{}, wantRefused: true},
		{name: "not a browser", check: true},
		{name: "the host", hostURL: "api.example", host: "api.example", origin: []byte(other)},
		{name: "another host", hostURL: "api.example", host: "b.example", wantRefused: true},
		{name: "another host, listed origin", check: true, hostURL: "api.example", host: "b.example", origin: []byte(listed), wantRefused: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg := &config.Config{}
			o := &cfg.HTTPServer.Options
			o.CheckWebSocketOrigin, o.AllowAllOrigins, o.HostURL = tt.check, tt.all, tt.hostURL
			o.Origins = []string{listed}
			f := newFront(cfg, "/deepstream")
			f.ready.Store(true)
			want := 0
			if tt.wantRefused {
				want = 403
			}
			got := f.upgrade(&ws.Head{Path: []byte("/deepstream"), Origin: tt.origin, Host: []byte(tt.host)})
			if got != want {
				t.Errorf("status %d, want %d", got, want)
			}
		})
	}
}
