// Command nats is a NATS server with a WebSocket port, started by the rivals: core publish and subscribe,
// nothing on disk, no log, no compression, no TLS, and the defaults of the library for everything else.
//
//	nats 127.0.0.1:4222
package main

import (
	"fmt"
	"net"
	"os"
	"strconv"

	"github.com/nats-io/nats-server/v2/server"
)

// connsMax is above what a fleet of the load driver opens; the library's own limit is 65,536.
const connsMax = 1 << 17

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	if len(os.Args) != 2 {
		return fmt.Errorf("usage: nats host:port")
	}
	host, text, err := net.SplitHostPort(os.Args[1])
	if err != nil {
		return fmt.Errorf("nats: %w", err)
	}
	port, err := strconv.Atoi(text)
	if err != nil {
		return fmt.Errorf("nats: port: %w", err)
	}
	s, err := server.NewServer(&server.Options{
		Host: host, Port: server.RANDOM_PORT, NoLog: true, NoSigs: true, MaxConn: connsMax,
		Websocket: server.WebsocketOpts{Host: host, Port: port, NoTLS: true},
	})
	if err != nil {
		return fmt.Errorf("nats: %w", err)
	}
	s.Start() // returns once the ports are open
	s.WaitForShutdown()
	return nil
}
