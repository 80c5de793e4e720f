package load

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// cfFleet is a fleet of one subscriber that has sent messages numbers and got nothing yet.
func cfFleet(messages int) (*Fleet, *subscriber) {
	opts := Options{Publishers: 2, Dialect: Centrifuge}
	opts.setDefaults()
	f := &Fleet{opts: opts, pubs: make([]publisher, 2), latency: &Histogram{}, sentAt: make([]time.Duration, 64)}
	f.buildTemplate()
	f.sent = uint32(messages)
	return f, &subscriber{next: []uint32{0, 1}}
}

// cfDelivery is what a Centrifuge server sends about the message with this number; extra stands behind the
// data of the publication.
func cfDelivery(number uint32, extra ...byte) []byte {
	data, at := payload(64, false)
	digits := []byte(data)
	putDigits(digits[at:], number)
	pub := append(appendField(nil, cfPubData, string(digits)), extra...)
	push := appendField(appendField(nil, cfPushChannel, "bench/fanout"), cfPushPub, string(pub))
	return delimited(appendField(nil, cfPush, string(push)))
}

func cfDeliveries(numbers ...uint32) (out []byte) {
	for _, n := range numbers {
		out = append(out, cfDelivery(n)...)
	}
	return out
}

// frame is one server frame.
func frame(payload []byte) []byte { return serverFrames(payload, max(1, len(payload))) }

// The bytes are those of the encoder in github.com/centrifugal/protocol v0.17.0.
func TestCentrifugeMessagesMatchTheOfficialEncoder(t *testing.T) {
	opts := Options{Publishers: 1, Dialect: Centrifuge, Name: "a/b", PayloadBytes: PayloadBytesMin}
	f := &Fleet{opts: opts}
	f.buildTemplate()
	for name, tc := range map[string]struct {
		got  []byte
		want string
	}{
		"connect":   {cfCommand(1, cfConnect, ""), "0408012200"},
		"subscribe": {cfCommand(300, cfSubscribe, string(appendField(nil, cfRequestChannel, "a/b"))), "0a08ac022a050a03612f62"},
		"publish":   {f.plain, "1708013a130a03612f62120c223030303030303030787822"},
		"delivery":  {append(f.head, `"00000000xx"`...), "1722151203612f62220e220c223030303030303030787822"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := hex.EncodeToString(tc.got); got != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
		})
	}
}

func TestCentrifugeCountsEveryLayout(t *testing.T) {
	ping := []byte{0}
	withOffset := cfDelivery(1, 6<<3, 7)                 // Publication.offset
	withInfo := cfDelivery(2, 5<<3|2, 3, 1<<3|2, 1, 'u') // Publication.info
	all := bytes.Join([][]byte{ping, cfDelivery(0), withOffset, ping, withInfo, cfDelivery(3)}, nil)
	one := append(append(append(frame(cfDelivery(0)), frame(ping)...), frame(withOffset)...), frame(cfDeliveries(2, 3))...)
	for name, stream := range map[string][]byte{"in one frame": frame(all), "in several": one} {
		t.Run(name, func(t *testing.T) {
			f, s := cfFleet(4)
			rest, err := f.count(s, stream, 1)
			if err != nil || len(rest) > 0 || f.delivered != 4 {
				t.Fatalf("%d delivered, %d bytes left, %v", f.delivered, len(rest), err)
			}
			for cut := range stream { // a read ends anywhere
				f, s := cfFleet(4)
				rest, err := f.count(s, stream[:cut], 1)
				if err == nil {
					_, err = f.count(s, append(bytes.Clone(rest), stream[cut:]...), 1)
				}
				if err != nil || f.delivered != 4 {
					t.Fatalf("cut at %d: %d delivered, %v", cut, f.delivered, err)
				}
			}
		})
	}
}

func TestCentrifugeNoticesACheat(t *testing.T) {
	push := func(channel, pub string) []byte {
		return delimited(appendField(nil, cfPush, string(appendField(appendField(nil, cfPushChannel, channel), cfPushPub, pub))))
	}
	data, _ := payload(64, false)
	for name, tc := range map[string]struct {
		payload []byte
		want    string
	}{
		"lost":         {cfDeliveries(0, 3), "lost, repeated"},
		"repeated":     {cfDeliveries(0, 0), "lost, repeated"},
		"invented":     {cfDeliveries(0, 1, 2, 3, 4), "never sent"},
		"corrupt":      {bytes.Replace(cfDeliveries(0), []byte(`"0000`), []byte(`"000-`), 1), "unexpected payload"},
		"other name":   {push("bench/other", string(appendField(nil, cfPubData, data))), "unexpected push"},
		"shortened":    {push("bench/fanout", string(appendField(nil, cfPubData, data[:20]))), "20 bytes of data"},
		"disconnect":   {delimited(appendField(nil, cfPush, string(appendField(nil, 11, "\x08\x01")))), "unexpected push"},
		"answer":       {delimited(appendField(appendNumber(nil, cfID, 1), cfPublished, "")), "unexpected result 8"},
		"error":        {delimited(appendField(appendNumber(nil, cfID, 1), cfError, "\x08\x67")), "refused"},
		"cut":          {cfDeliveries(0)[:20], "malformed"},
		"longer":       {append(cfDeliveries(0), 9), "malformed"},
		"other number": {delimited([]byte{7<<3 | 5, 0, 0, 0, 0}), "wire type 5"},
	} {
		t.Run(name, func(t *testing.T) {
			f, s := cfFleet(4)
			if _, err := f.count(s, frame(tc.payload), 1); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
}

// cfRelay is a server that answers a fleet's commands and hands what is published to its only subscriber,
// all of it in frames of two messages. answer is what a publisher gets.
func cfRelay(t *testing.T, answer []byte) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	published := make(chan uint32, 64)
	done := make(chan struct{})
	t.Cleanup(func() { _ = l.Close(); <-done })
	serve := func(c net.Conn) {
		r := bufio.NewReader(c)
		if req, err := http.ReadRequest(r); err != nil || req.URL.String() != cfPath {
			t.Errorf("request for %v, %v", req, err)
			return
		}
		_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: "+upgradeAccept+"\r\n\r\n")
		for {
			payload, err := readMasked(r)
			if err != nil {
				return // the fleet is closed
			}
			message, _, err := cutDelimited(payload)
			if err != nil {
				t.Error(err)
				return
			}
			command, err := decodeReply(message) // a Command has the same outer shape
			if err != nil {
				t.Error(err)
				return
			}
			ok := func(result int) []byte {
				return delimited(appendField(appendNumber(nil, cfID, int64(command.id)), result, ""))
			}
			switch command.result {
			case cfConnect:
				_ = sendPayload(c, append([]byte{0}, ok(cfConnected)...))
			case cfSubscribe:
				_ = sendPayload(c, ok(cfSubscribed))
				go func() { // ends when the publisher's connection does
					for n := range published {
						_ = sendPayload(c, append(cfDelivery(n), 0))
					}
				}()
			case cfPublish:
				at := bytes.IndexByte(command.body, '"') + 1
				n, _ := number(command.body[at : at+digitBytes])
				published <- n
				_ = sendPayload(c, answer)
			}
		}
	}
	go func() { // ends with the listener, after its connections
		defer close(done)
		var conns []chan struct{}
		for {
			c, err := l.Accept()
			if err != nil {
				for _, ended := range conns {
					<-ended
				}
				close(published)
				return
			}
			ended := make(chan struct{})
			conns = append(conns, ended)
			go func() { defer close(ended); defer c.Close(); serve(c) }() // ends with the connection
		}
	}()
	return l.Addr().String()
}

func TestCentrifugeFleet(t *testing.T) {
	addr := cfRelay(t, delimited(appendField(appendNumber(nil, cfID, 1), cfPublished, "")))
	fleet, err := DialFleet(Options{Addr: addr, Subscribers: 1, Publishers: 2, Dialect: Centrifuge})
	if err != nil {
		t.Fatal(err)
	}
	defer fleet.Close()
	r, err := fleet.Run(Load{Window: 1, Messages: 50})
	if err != nil || r.Deliveries != 50 {
		t.Fatalf("%+v, %v", r, err)
	}
}

// A publication that is refused ends the run, although its publisher expects no delivery.
func TestCentrifugeRefusedPublication(t *testing.T) {
	addr := cfRelay(t, delimited(appendField(appendNumber(nil, cfID, 1), cfError, "\x08\x67")))
	fleet, err := DialFleet(Options{Addr: addr, Subscribers: 1, Publishers: 1, Dialect: Centrifuge})
	if err != nil {
		t.Fatal(err)
	}
	defer fleet.Close()
	if _, err := fleet.Run(Load{Window: 4, Messages: 1000}); err == nil || !strings.Contains(err.Error(), "publisher 0: refused") {
		t.Fatalf("got %v", err)
	}
}

func BenchmarkCountCentrifuge(b *testing.B) {
	const messages = 50
	f, s := cfFleet(messages)
	var stream []byte
	for i := uint32(0); i < messages; i += 10 { // as many in a frame as the window and two publishers make likely
		stream = append(stream, frame(cfDeliveries(i, i+1, i+2, i+3, i+4, i+5, i+6, i+7, i+8, i+9))...)
	}
	b.ReportAllocs()
	for b.Loop() {
		s.next[0], s.next[1] = 0, 1
		if rest, err := f.count(s, stream, 1); err != nil || len(rest) > 0 {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/messages, "ns/delivery")
}
