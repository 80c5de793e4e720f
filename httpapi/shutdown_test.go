package httpapi

import (
	"context"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"deepstream-fast/fuzz/peer"
)

// Whoever sends half a request and no more does not keep a server from stopping, and is told.
func TestShutdownWaitsForNoBody(t *testing.T) {
	r := startRig(t, nil)
	conn, err := net.Dial("tcp", r.eng.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(peer.Patience))
	if _, err := io.WriteString(conn, "POST /api HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"); err != nil {
		t.Fatal(err)
	}
	deadline, tick := time.Now().Add(peer.Patience), time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for r.server.Stats().InFlight == 0 {
		if <-tick.C; time.Now().After(deadline) {
			t.Fatal("the request never begins")
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), peer.Patience)
	defer cancel()
	if err := r.server.Shutdown(ctx); err != nil {
		t.Errorf("shutdown: %v", err)
	}
	if answer, err := io.ReadAll(conn); err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 400") {
		t.Errorf("got %q, %v", answer, err)
	}
}
