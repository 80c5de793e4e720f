package load

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"time"
)

// natsFleet is a fleet of one subscriber that has sent messages numbers and got nothing yet.
func natsFleet(messages int) (*Fleet, *subscriber) {
	opts := Options{Publishers: 2, Dialect: NATS}
	opts.setDefaults()
	f := &Fleet{opts: opts, pubs: make([]publisher, 2), latency: &Histogram{}, sentAt: make([]time.Duration, 64)}
	f.buildTemplate()
	f.sent = uint32(messages)
	return f, &subscriber{next: []uint32{0, 1}}
}

// natsStream is what a NATS server sends about messages with these numbers.
func natsStream(numbers ...uint32) []byte {
	data, at := payload(64, false)
	var text []byte
	for _, n := range numbers {
		digits := []byte(data)
		putDigits(digits[at:], n)
		text = fmt.Appendf(text, "MSG bench/fanout 1 64\r\n%s\r\n", digits)
	}
	return text
}

// serverFrames cuts text into frames of size bytes each.
func serverFrames(text []byte, size int) []byte {
	var out []byte
	for len(text) > 0 {
		n := min(size, len(text))
		if out = append(out, 0x82, byte(n)); n > 125 {
			out = binary.BigEndian.AppendUint16(append(out[:len(out)-1], 126), uint16(n))
		}
		out = append(out, text[:n]...)
		text = text[n:]
	}
	return out
}

// A delivery counts wherever the server cuts its stream into frames.
func TestNATSMessagesOverFrames(t *testing.T) {
	text := append([]byte("PING\r\n"), natsStream(0, 1, 2, 3)...)
	for size := 1; size <= 400; size++ {
		f, s := natsFleet(4)
		rest, err := f.count(s, serverFrames(text, size), 1)
		if err != nil || len(rest) > 0 || len(s.text) > 0 || f.delivered != 4 {
			t.Fatalf("frames of %d bytes: %d delivered, %d and %d bytes left, %v", size, f.delivered, len(rest), len(s.text), err)
		}
	}
}

func TestNATSNoticesACheat(t *testing.T) {
	for name, tc := range map[string]struct {
		text []byte
		want string
	}{
		"lost":     {natsStream(0, 3), "lost, repeated"},
		"repeated": {natsStream(0, 0), "lost, repeated"},
		"invented": {natsStream(0, 1, 2, 3, 4), "never sent"},
		"cut":      {[]byte(strings.Replace(string(natsStream(0)), "x\"\r\n", "x\"--", 1)), "unexpected payload"},
		"other":    {[]byte("MSG bench/fanout 2 64\r\n"), "unexpected message"},
		"error":    {[]byte("-ERR 'Slow Consumer'\r\n"), "unexpected message"},
		"noise":    {[]byte("hello\r\n"), "unexpected bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			f, s := natsFleet(4)
			if _, err := f.count(s, serverFrames(tc.text, 100), 1); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
}

func BenchmarkCountNATS(b *testing.B) {
	const messages = 50
	f, s := natsFleet(messages)
	numbers := make([]uint32, messages)
	for i := range numbers {
		numbers[i] = uint32(i)
	}
	stream := serverFrames(natsStream(numbers...), 16<<10)
	b.ReportAllocs()
	for b.Loop() {
		s.next[0], s.next[1] = 0, 1
		if rest, err := f.count(s, stream, 1); err != nil || len(rest) > 0 {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/messages, "ns/delivery")
}
