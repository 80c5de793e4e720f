// Command centrifuge is a server made of the library github.com/centrifugal/centrifuge, started by the
// rivals: WebSockets in protobuf, the memory broker without history, no presence, no compression, no log.
//
//	centrifuge 127.0.0.1:8000         writes as soon as it can, up to 16 messages per frame: the library's default
//	centrifuge 127.0.0.1:8000 1ms     collects for so long before it writes to a connection
//
// The second is what the library documents for high message rates of single connections (WriteDelay, here with
// MaxMessagesInFrame off, because a delay times 16 messages would bound the throughput). It costs latency and a
// timer per write, so the rivals measure both. ReplyWithoutQueue stays off: answers to a publisher
// would lose the chance to share a frame. GetChannelBatchConfig is experimental and stays unused.
//
// Everything else is a default unless it has a comment below, and those are all in the server's favour or
// limits that it would run into.
package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/centrifugal/centrifuge"
)

// Limits that are far above what the driver needs.
const (
	queueBytesMax   = 64 << 20 // of a connection, as in the C floors; default 1 MiB
	channelsMax     = 1 << 20  // of a connection; default 128
	messageBytesMax = 1 << 20  // of a frame from a client, a thousand subscriptions; default 64 KiB
	writeTimeout    = 10 * time.Second
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	if len(os.Args) != 2 && len(os.Args) != 3 {
		return fmt.Errorf("usage: centrifuge host:port [write delay]")
	}
	var connected centrifuge.ConnectReply
	if len(os.Args) == 3 {
		delay, err := time.ParseDuration(os.Args[2])
		if err != nil || delay <= 0 {
			return fmt.Errorf("centrifuge: write delay %q is no positive duration", os.Args[2])
		}
		connected.WriteDelay, connected.MaxMessagesInFrame = delay, -1
	}
	connected.Credentials = &centrifuge.Credentials{} // an anonymous user
	node, err := centrifuge.New(centrifuge.Config{ClientQueueMaxSize: queueBytesMax, ClientChannelLimit: channelsMax})
	if err != nil {
		return fmt.Errorf("centrifuge: %w", err)
	}
	node.OnConnecting(func(context.Context, centrifuge.ConnectEvent) (centrifuge.ConnectReply, error) {
		return connected, nil
	})
	node.OnConnect(permit)
	if err := node.Run(); err != nil {
		return fmt.Errorf("centrifuge: %w", err)
	}
	http.Handle("/connection/websocket", centrifuge.NewWebsocketHandler(node, centrifuge.WebsocketConfig{
		MessageSizeLimit:   messageBytesMax,
		WriteTimeout:       writeTimeout,
		UseWriteBufferPool: true, // less memory per connection, as its documentation says
		// It still sends pings, but does not watch for the pongs that the driver never sends.
		PingPongConfig: centrifuge.PingPongConfig{PongTimeout: -1},
	}))
	return fmt.Errorf("centrifuge: %w", http.ListenAndServe(os.Args[1], nil))
}

// permit lets a client subscribe to anything and publish anything. A publication carries its data and nothing
// about who sent it.
func permit(client *centrifuge.Client) {
	client.OnSubscribe(func(_ centrifuge.SubscribeEvent, answer centrifuge.SubscribeCallback) {
		answer(centrifuge.SubscribeReply{}, nil)
	})
	client.OnPublish(func(_ centrifuge.PublishEvent, answer centrifuge.PublishCallback) {
		answer(centrifuge.PublishReply{}, nil)
	})
}
