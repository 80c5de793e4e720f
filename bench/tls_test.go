package bench

import (
	"crypto/tls"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	idleTLSConns = 3_000
	settleTime   = 3 * time.Second // after which a quiet server has given back what the logins left
)

// BenchmarkIdleTLS reports what one logged-in connection over TLS that says nothing adds to the server's
// resident memory, with the garbage of the handshakes and when the server has got rid of that by itself,
// and the CPU of a handshake and login.
func BenchmarkIdleTLS(b *testing.B) {
	for name, version := range map[string]uint16{"1.2": tls.VersionTLS12, "1.3": tls.VersionTLS13} {
		b.Run("version="+name, func(b *testing.B) {
			rig, err := NewRig(true, FastTLS)
			if err != nil {
				b.Fatal(err)
			}
			b.Cleanup(rig.Close)
			for range b.N {
				p, err := rig.Start(FastTLS)
				if err != nil {
					b.Fatal(err)
				}
				b.Cleanup(p.Stop)
				before, cpu := rss(b, p), cpuOf(b, p)
				clients := dialAll(b, rig, FastTLS, p, version, idleTLSConns)
				b.ReportMetric(float64(cpuOf(b, p)-cpu)/idleTLSConns/1e3, "login-cpu-us")
				b.ReportMetric(float64(rss(b, p)-before)/idleTLSConns, "RSS-bytes/conn")
				b.ReportMetric(float64(settled(b, p)-before)/idleTLSConns, "settled-RSS-bytes/conn")
				p.Stop()
				for _, c := range clients {
					c.Close()
				}
			}
		})
	}
}

// BenchmarkDeliveryTLS reports the server's CPU per delivered event, plain and over TLS, by the same
// driver: window messages are published in one go and read by everybody before the next.
func BenchmarkDeliveryTLS(b *testing.B) {
	rig, err := NewRig(true, Fast, FastTLS)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(rig.Close)
	for _, window := range []int{1, 32} {
		for _, payload := range []int{64, 4096} {
			for _, server := range []Server{Fast, FastTLS} {
				b.Run(fmt.Sprintf("subs=100/window=%d/payload=%dB/server=%s", window, payload, server), func(b *testing.B) {
					deliver(b, rig, server, window, payload)
				})
			}
		}
	}
}

func deliver(b *testing.B, rig *Rig, server Server, window, payload int) {
	const subscribers = 100
	p, err := rig.Start(server)
	if err != nil {
		b.Fatal(err)
	}
	defer p.Stop()
	clients := dialAll(b, rig, server, p, 0, subscribers+1)
	publisher, subs := clients[0], clients[1:]
	for _, s := range subs {
		if err := s.Send("EVENT SUBSCRIBE correlationId=1 names=[bench]"); err != nil {
			b.Fatal(err)
		}
		if _, err := s.Fence(); err != nil {
			b.Fatal(err)
		}
	}
	text := fmt.Sprintf("EVENT EMIT name=bench data=`%q`", strings.Repeat("x", payload))
	one := frameBytes(b, publisher, subs, text)
	batch := make([]string, window)
	for i := range batch {
		batch[i] = text
	}
	before := cpuOf(b, p)
	b.ResetTimer()
	for range b.N {
		if err := publisher.Send(batch...); err != nil {
			b.Fatal(err)
		}
		readAll(b, subs, one*int64(window))
	}
	b.StopTimer()
	b.ReportMetric(float64(cpuOf(b, p)-before)/float64(b.N*window*subscribers), "server-cpu-ns/delivery")
	for _, c := range clients {
		c.Close()
	}
}

// frameBytes publishes once and returns how long the frame is that everybody gets.
func frameBytes(b *testing.B, publisher *Client, subs []*Client, text string) int64 {
	b.Helper()
	if err := publisher.Send(text); err != nil {
		b.Fatal(err)
	}
	head := make([]byte, 4)
	size := int64(0)
	for _, s := range subs {
		if _, err := io.ReadFull(s.stream, head); err != nil {
			b.Fatal(err)
		}
		size = 2 + int64(head[1])
		if head[1] == 126 {
			size = 4 + int64(head[2])<<8 + int64(head[3])
		}
		if _, err := io.CopyN(io.Discard, s.stream, size-int64(len(head))); err != nil {
			b.Fatal(err)
		}
	}
	return size
}

// readAll lets every subscriber read n bytes. A goroutine for each ends when it has.
func readAll(b *testing.B, subs []*Client, n int64) {
	var all sync.WaitGroup
	for _, s := range subs {
		all.Go(func() {
			_ = s.stream.SetReadDeadline(time.Now().Add(dialTimeout))
			if _, err := io.CopyN(io.Discard, s.stream, n); err != nil {
				b.Error(err)
			}
		})
	}
	all.Wait()
}

func dialAll(b *testing.B, rig *Rig, server Server, p *Process, version uint16, n int) []*Client {
	b.Helper()
	var clients []*Client
	for range n {
		c, err := rig.Dial(server, p.Addr, version)
		if err != nil {
			b.Fatalf("%v\n%s", err, p.Stderr())
		}
		clients = append(clients, c)
	}
	return clients
}

// settled returns the resident memory of p when settleTime has passed.
func settled(b *testing.B, p *Process) int64 {
	b.Helper()
	<-time.After(settleTime)
	return rss(b, p)
}

func cpuOf(b *testing.B, p *Process) time.Duration {
	b.Helper()
	d, err := p.CPU()
	if err != nil {
		b.Fatal(err)
	}
	return d
}
