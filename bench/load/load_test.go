package load

import (
	"encoding/hex"
	"strings"
	"testing"
	"time"
)

func TestMessagesMatchTheOfficialEncoder(t *testing.T) {
	subscribe := appendField([]byte{fieldAction << 3, eventSubscribe}, fieldCorrelation, "0")
	subscribe = appendField(appendField(subscribe, fieldNames, "a"), fieldNames, "bc")
	for _, tc := range []struct {
		name  string
		topic byte
		inner []byte
		want  string // wire.md §3
	}{
		{"PING", topicConnection, []byte{fieldAction << 3, 2}, "0610021a020802"},
		{"SUBSCRIBE", topicEvent, subscribe, "1010041a0c08031a01303a01613a026263"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := hex.EncodeToString(message(tc.topic, tc.inner)); got != tc.want {
				t.Fatalf("got  %s\nwant %s", got, tc.want)
			}
		})
	}
}

func TestDecodeAcknowledgement(t *testing.T) {
	ack, err := hex.DecodeString("0b10041a0708031a01302801")
	if err != nil {
		t.Fatal(err)
	}
	a, err := decode(ack)
	if err != nil || a.topic != topicEvent || a.action != eventSubscribe || !a.isAck {
		t.Fatalf("got %+v, %v", a, err)
	}
	for cut := 1; cut < len(ack); cut++ {
		if _, err := decode(ack[:cut]); err == nil {
			t.Errorf("decoding the first %d bytes succeeded", cut)
		}
	}
}

func TestNextFrame(t *testing.T) {
	long := append([]byte{0x82, 126, 1, 0}, make([]byte, 256)...)
	for _, tc := range []struct {
		name    string
		in      []byte
		payload int // bytes, when a frame is there
		length  int
		fails   bool
	}{
		{"empty", nil, 0, 0, false},
		{"half a header", []byte{0x82}, 0, 0, false},
		{"short", []byte{0x82, 2, 'a', 'b', 'c'}, 2, 4, false},
		{"short, incomplete", []byte{0x82, 2, 'a'}, 0, 0, false},
		{"16-bit length", long, 256, 260, false},
		{"16-bit length, incomplete", long[:259], 0, 0, false},
		{"16-bit length, half a header", long[:3], 0, 0, false},
		{"64-bit length beyond the maximum", []byte{0x82, 127, 0, 0, 0, 1, 0, 0, 0, 0}, 0, 0, true},
		{"fragment", []byte{0x02, 1, 'a'}, 0, 0, true},
		{"masked", []byte{0x82, 0x81, 1, 2, 3, 4, 5}, 0, 0, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, payload, length, err := nextFrame(tc.in)
			if len(payload) != tc.payload || length != tc.length || (err != nil) != tc.fails {
				t.Fatalf("got %d bytes, length %d, error %v", len(payload), length, err)
			}
		})
	}
}

func TestHistogram(t *testing.T) {
	var h Histogram
	if got := h.Quantile(0.99); got != 0 {
		t.Fatalf("empty histogram: p99 %v", got)
	}
	for i := 1; i <= 1000; i++ {
		h.Add(time.Duration(i)*time.Microsecond, 1)
	}
	for q, want := range map[float64]time.Duration{0: time.Microsecond, 0.5: 500 * time.Microsecond, 0.99: 990 * time.Microsecond, 1: time.Millisecond} {
		if got := h.Quantile(q); got > want || float64(got) < 0.93*float64(want) {
			t.Errorf("quantile %v: got %v, want at most 7%% below %v", q, got, want)
		}
	}
	for v := uint64(1); v != 0; v <<= 1 {
		for _, v := range []uint64{v - 1, v, v | v>>1} {
			i := bucket(v)
			if low := lowerBound(i); low > v || i+1 < len(h.counts) && lowerBound(i+1) <= v && lowerBound(i+1) > low {
				t.Fatalf("%d is in bucket %d from %d to %d", v, i, low, lowerBound(i+1))
			}
		}
	}
}

func TestRunCountsEveryDelivery(t *testing.T) {
	fleet := dialFake(t, Options{Subscribers: 5, Publishers: 3, PayloadBytes: 200}, nil)
	for _, l := range []Load{
		{Window: 64, Messages: 500},
		{Window: 1, Messages: 20},
		{Window: 8, Messages: 10, Every: time.Millisecond},
	} {
		r, err := fleet.Run(l)
		if err != nil {
			t.Fatalf("%+v: %v", l, err)
		}
		if r.Messages != l.Messages || r.Deliveries != 5*l.Messages || int(r.Latency.Count()) != r.Deliveries {
			t.Errorf("%+v: %d messages, %d deliveries, %d latencies", l, r.Messages, r.Deliveries, r.Latency.Count())
		}
		if least := time.Duration(l.Messages-1) * l.Every; r.Elapsed < least {
			t.Errorf("%+v: took %v, less than %v", l, r.Elapsed, least)
		}
	}
}

func TestRunDecodesAnotherLayout(t *testing.T) {
	fleet := dialFake(t, Options{Subscribers: 2}, func(_ int, payload []byte) [][]byte {
		name, data := fakeEmit(payload)
		inner := appendField([]byte{fieldAction << 3, eventEmit}, fieldName, name)
		return [][]byte{message(topicEvent, appendField(inner, fieldData, data))}
	})
	if _, err := fleet.Run(Load{Window: 4, Messages: 40}); err != nil {
		t.Fatal(err)
	}
}

// A server that cheats must never come out as a fast one.
func TestRunNoticesACheat(t *testing.T) {
	for _, tc := range []struct {
		name  string
		fault fault
		want  string
	}{
		{"drop", func(i int, p []byte) [][]byte {
			if i == 7 {
				return nil
			}
			return [][]byte{p}
		}, "lost, repeated or out of order"},
		{"drop the last", func(i int, p []byte) [][]byte {
			if i == 39 {
				return nil
			}
			return [][]byte{p}
		}, "still waits for message 39"},
		{"repeat", func(i int, p []byte) [][]byte {
			if i == 7 {
				return [][]byte{p, p}
			}
			return [][]byte{p}
		}, "lost, repeated or out of order"},
		{"corrupt", func(i int, p []byte) [][]byte {
			return [][]byte{[]byte(strings.ReplaceAll(string(p), `"0000000`, `"000000x`))}
		}, "unexpected payload"},
		{"shorten", func(i int, p []byte) [][]byte {
			name, data := fakeEmit(p)
			inner := appendField([]byte{fieldAction << 3, eventEmit}, fieldData, data[:20])
			return [][]byte{message(topicEvent, appendField(inner, fieldName, name))}
		}, "20 bytes of data"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			fleet := dialFake(t, Options{Subscribers: 1, Publishers: 1, Timeout: 2 * time.Second}, tc.fault)
			_, err := fleet.Run(Load{Window: 10, Messages: 40})
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Fatalf("got error %v, want one about %q", err, tc.want)
			}
		})
	}
}

func TestOptionsAreChecked(t *testing.T) {
	for _, o := range []Options{{Subscribers: -1}, {Subscribers: SubscribersMax + 1}, {Publishers: PublishersMax + 1}, {PayloadBytes: PayloadBytesMin - 1}} {
		if _, err := DialFleet(o); err == nil || !strings.Contains(err.Error(), "want") {
			t.Errorf("%+v: got error %v", o, err)
		}
	}
	fleet := dialFake(t, Options{Subscribers: 1}, nil)
	for _, l := range []Load{{Messages: 1}, {Window: WindowMax + 1, Messages: 1}, {Window: 1}} {
		if _, err := fleet.Run(l); err == nil {
			t.Errorf("%+v: no error", l)
		}
	}
}

// BenchmarkCount is the driver's own cost per delivery, without the kernel's.
func BenchmarkCount(b *testing.B) {
	f := &Fleet{opts: Options{Publishers: 1, PayloadBytes: 64, Name: "bench/fanout"}, pubs: make([]publisher, 1), latency: &Histogram{}}
	f.buildTemplate()
	f.sentAt = make([]time.Duration, 1)
	const frames = 100
	var stream []byte
	for range frames {
		stream = append(append(stream, 0x82, byte(len(f.plain))), f.plain...)
	}
	s := &subscriber{next: make([]uint32, 1)}
	f.sent = frames
	for i := range frames {
		digits := stream[i*(len(f.plain)+2)+2+f.digitsAt:]
		putNumber(digits, uint32(i), f.digitsAt)
		for j := range digitBytes {
			digits[j] ^= maskKey[(f.digitsAt+j)&3]
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		s.next[0] = 0
		if rest, err := f.count(s, stream, 1); err != nil || len(rest) > 0 {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/frames, "ns/delivery")
}
