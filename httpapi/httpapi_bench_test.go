package httpapi

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"deepstream-fast/codec/ws"
	"deepstream-fast/fuzz/peer"
	"deepstream-fast/protocol"
)

// cpuTime is what the process has used so far, client and server.
func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// exchangeAll sends request b.N times on one connection and awaits an answer of the size of the first.
func exchangeAll(b *testing.B, conn net.Conn, request []byte, size int) {
	answer := make([]byte, size)
	b.ReportAllocs()
	before := cpuTime(b)
	for b.Loop() {
		if _, err := conn.Write(request); err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(conn, answer); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64((cpuTime(b)-before).Nanoseconds())/float64(b.N)/1000, "cpu-µs/op")
}

// BenchmarkPost is one request after the other on a connection that is kept: CPU of both ends, of which
// the client's is a write and a read.
func BenchmarkPost(b *testing.B) {
	for name, text := range map[string]string{
		"emit":       `{"body":[{"topic":"event","action":"emit","eventName":"e","data":{"a":1}}]}`,
		"write":      `{"body":[{"topic":"record","action":"write","recordName":"r","data":{"a":1}}]}`,
		"read":       `{"body":[{"topic":"record","action":"read","recordName":"r"}]}`,
		"100 emits":  `{"body":[` + string(bytes.Repeat([]byte(`{"topic":"event","action":"emit","eventName":"e","data":{"a":1}},`), 99)) + `{"topic":"event","action":"emit","eventName":"e"}]}`,
		"get record": "",
	} {
		b.Run(name, func(b *testing.B) {
			r := startRig(b, nil)
			conn, err := net.Dial("tcp", r.eng.Addr().String())
			if err != nil {
				b.Fatal(err)
			}
			defer conn.Close()
			post := func(text string) []byte {
				return fmt.Appendf(nil, "POST /api HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(text), text)
			}
			in := bufio.NewReader(conn)
			ask := func(request []byte) (size int) {
				_, _ = conn.Write(request)
				var seen bytes.Buffer
				res, err := http.ReadResponse(bufio.NewReader(io.TeeReader(in, &seen)), nil)
				if err != nil || res.StatusCode != 200 {
					b.Fatal(err, res)
				}
				if _, err := io.Copy(io.Discard, res.Body); err != nil {
					b.Fatal(err)
				}
				return seen.Len()
			}
			ask(post(`{"body":[{"topic":"record","action":"write","recordName":"r","data":{"name":"somebody","score":12}}]}`))
			request := post(text)
			if text == "" {
				request = []byte("GET /api/record/r HTTP/1.1\r\nHost: h\r\n\r\n")
			}
			exchangeAll(b, conn, request, ask(request))
		})
	}
}

// BenchmarkWebSocket is the same READ over a WebSocket, to compare with.
func BenchmarkWebSocket(b *testing.B) {
	r := startRig(b, nil)
	conn, err := net.Dial("tcp", r.eng.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", peer.Path)
	if _, err := http.ReadResponse(bufio.NewReader(conn), nil); err != nil {
		b.Fatal(err)
	}
	frame := func(text string) []byte {
		m, err := peer.Parse(text)
		if err != nil {
			b.Fatal(err)
		}
		return peer.AppendFrame(nil, ws.Binary, peer.AppendMessage(nil, &m))
	}
	answer := func(request []byte) int {
		_, _ = conn.Write(request)
		var head [2]byte
		if _, err := io.ReadFull(conn, head[:]); err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(conn, make([]byte, head[1])); err != nil {
			b.Fatal(err)
		}
		return 2 + int(head[1])
	}
	answer(frame("CONNECTION CHALLENGE url=x"))
	answer(frame("AUTH REQUEST data=`{\"username\":\"a\"}`"))
	answer(frame("RECORD CREATEANDUPDATE name=r version=-1 isWriteAck correlationId=0 data=`{\"name\":\"somebody\",\"score\":12}`"))
	read := frame(protocol.TopicRecord.String() + " READ name=r")
	exchangeAll(b, conn, read, answer(read))
}

// BenchmarkRate is what the limit adds to a request: its commands are counted and charged.
func BenchmarkRate(b *testing.B) {
	const emit = `{"topic":"event","action":"emit","eventName":"e","data":{"a":1}}`
	for _, n := range []int{1, 100} {
		b.Run(fmt.Sprintf("commands=%d", n), func(b *testing.B) {
			list := []byte(`[` + strings.Repeat(emit+",", n-1) + emit + `]`)
			var a account
			b.SetBytes(int64(len(list)))
			b.ReportAllocs()
			for b.Loop() {
				a.charge(time.Now(), time.Duration(messagesOf(list)), time.Hour)
			}
		})
	}
	b.Run("names=1000", func(b *testing.B) {
		list := []byte(`[{"topic":"presence","action":"query","names":["name"` + strings.Repeat(`,"name"`, 999) + `]}]`)
		b.SetBytes(int64(len(list)))
		b.ReportAllocs()
		for b.Loop() {
			if messagesOf(list) != 11 {
				b.Fatal("miscounted")
			}
		}
	})
}
