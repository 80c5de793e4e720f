package load

import (
	"encoding/binary"
	"net"
	"path"
	"slices"
	"strings"
	"testing"
	"time"
)

// fakeWrite is a record of the fake server, or what is to become one.
type fakeWrite struct {
	name, correlation, data string
	version                 uint64
}

func (w *fakeWrite) ack() []byte {
	inner := appendField([]byte{fieldAction << 3, recordWriteAck}, fieldCorrelation, w.correlation)
	inner = appendField(inner, fieldName, w.name)
	return message(topicRecord, appendNumber(inner, fieldIsWriteAck, 1))
}

func (s *fake) write(c net.Conn, a answer) error {
	w := fakeWrite{name: string(a.name), correlation: string(a.correlation), data: string(a.data), version: a.version}
	s.mu.Lock()
	ack := w.ack()
	if s.onWrite != nil {
		ack, w = s.onWrite(s.writes, w)
	}
	s.writes++
	s.records[w.name] = w
	s.mu.Unlock()
	if ack == nil {
		return nil
	}
	return sendPayload(c, ack)
}

// updateLocked returns what the subscribers get of an UPDATE without acknowledgement: its version resolved.
func (s *fake) updateLocked(a answer) []byte {
	w := s.records[string(a.name)]
	w.version++
	s.records[string(a.name)] = w
	inner := appendField([]byte{fieldAction << 3, recordUpdate}, fieldData, string(a.data))
	inner = appendField(inner, fieldName, string(a.name))
	return message(topicRecord, appendNumber(inner, fieldVersion, int64(w.version)))
}

// read acknowledges with the request's names left out, and answers in no particular order.
func (s *fake) read(c net.Conn, a answer, payload []byte) error {
	names := map[string]bool{}
	head, k := binary.Uvarint(payload)
	err := eachField(payload[k:k+int(head)], func(_ int, _ uint64, inner []byte) {
		_ = eachField(inner, func(number int, _ uint64, b []byte) {
			if number == fieldNames {
				names[string(b)] = true
			}
		})
	})
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.subs = append(s.subs, c)
	ack := appendField([]byte{fieldAction << 3, byte(a.action)}, fieldCorrelation, string(a.correlation))
	if err := sendPayload(c, message(topicRecord, appendNumber(ack, fieldIsAck, 1))); err != nil {
		return err
	}
	for name := range names {
		w := s.records[name]
		if w.data == "" {
			w.data = "{}"
		}
		inner := appendField([]byte{fieldAction << 3, recordReadResponse}, fieldData, w.data)
		inner = appendNumber(appendField(inner, fieldName, name), fieldVersion, int64(w.version))
		if err := sendPayload(c, message(topicRecord, inner)); err != nil {
			return err
		}
	}
	return nil
}

func dialWriters(t *testing.T, s *fake, opts WriterOptions) *Writers {
	t.Helper()
	opts.Addr = startFake(t, s)
	w, err := DialWriters(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	return w
}

func TestWritersCountEveryAcknowledgement(t *testing.T) {
	s := &fake{}
	w := dialWriters(t, s, WriterOptions{Writers: 3, InFlight: 2, Records: 5})
	for _, n := range []int{15, 100} {
		r, err := w.Run(n, 0)
		if err != nil || r.Writes != n || int(r.Latency.Count()) != n {
			t.Fatalf("%d writes: %+v, %v", n, r, err)
		}
		if _, err := w.Check(); err != nil {
			t.Fatal(err)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.writes != 115 {
		t.Errorf("%d writes, want 115", s.writes)
	}
	// How many of the writes are whose depends on who is scheduled; each one takes its records in turns.
	byWriter := map[string][]int{}
	for name, r := range s.records {
		writer := path.Dir(name)
		byWriter[writer] = append(byWriter[writer], int(r.version))
		if len(r.data) != 200 || r.version < 1 {
			t.Errorf("%s: version %d, %d bytes", name, r.version, len(r.data))
		}
	}
	sum := 0
	for writer, versions := range byWriter {
		writes := 0
		for _, v := range versions {
			writes += v
		}
		if len(versions) != min(5, writes) || slices.Max(versions)-slices.Min(versions) > 1 {
			t.Errorf("%s: versions %v of %d writes, want those of five records written in turns", writer, versions, writes)
		}
		sum += writes
	}
	if len(byWriter) > 3 || sum != s.writes {
		t.Errorf("%d writers wrote %d versions, want at most 3 and %d", len(byWriter), sum, s.writes)
	}
}

// A server that cheats must never come out as a fast one.
func TestWritersNoticeACheat(t *testing.T) {
	for _, tc := range []struct {
		name    string
		onWrite func(i int, w fakeWrite) ([]byte, fakeWrite)
		want    string
	}{
		{"lose an acknowledgement", func(i int, w fakeWrite) ([]byte, fakeWrite) {
			if i == 7 {
				return nil, w
			}
			return w.ack(), w
		}, "1 writes are not acknowledged"},
		{"acknowledge something else", func(_ int, w fakeWrite) ([]byte, fakeWrite) {
			other := fakeWrite{name: w.name, correlation: "1"}
			return other.ack(), w
		}, `correlation id "1"`},
		{"refuse", func(_ int, w fakeWrite) ([]byte, fakeWrite) {
			inner := appendField([]byte{fieldAction << 3, 105}, fieldName, w.name)
			return message(topicRecord, appendNumber(inner, fieldIsError, 1)), w
		}, "action 105"},
		{"keep an older version", func(i int, w fakeWrite) ([]byte, fakeWrite) {
			kept := w
			if i == 19 {
				kept.version--
			}
			return w.ack(), kept
		}, "want version"},
		{"keep other data", func(i int, w fakeWrite) ([]byte, fakeWrite) {
			kept := w
			if i == 19 {
				kept.data = strings.Replace(kept.data, "0000", "0001", 1)
			}
			return w.ack(), kept
		}, "want version"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := dialWriters(t, &fake{onWrite: tc.onWrite}, WriterOptions{Writers: 2, Timeout: 2 * time.Second})
			_, err := w.Run(20, 0)
			if err == nil {
				_, err = w.Check()
			}
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Fatalf("got error %v, want one about %q", err, tc.want)
			}
		})
	}
}

func TestRunCountsEveryUpdate(t *testing.T) {
	opts := Options{Subscribers: 5, Publishers: 3, PayloadBytes: 200, Record: true}
	fleet := dialFake(t, opts, nil)
	for _, l := range []Load{{Window: 64, Messages: 500}, {Window: 1, Messages: 20}} {
		r, err := fleet.Run(l)
		if err != nil || r.Deliveries != 5*l.Messages {
			t.Fatalf("%+v: %+v, %v", l, r, err)
		}
	}
	opts.Timeout = 2 * time.Second
	fleet = dialFake(t, opts, func(i int, p []byte) [][]byte {
		if i == 7 {
			return nil
		}
		return [][]byte{p}
	})
	if _, err := fleet.Run(Load{Window: 10, Messages: 40}); err == nil || !strings.Contains(err.Error(), "an update is missing") {
		t.Fatalf("got error %v", err)
	}
}

func TestWriterOptionsAreChecked(t *testing.T) {
	for _, o := range []WriterOptions{{Writers: WritersMax + 1}, {InFlight: -1}, {InFlight: 2, Records: 1}, {Records: RecordsMax}, {Bytes: WriteBytesMin - 1}} {
		if _, err := DialWriters(o); err == nil || !strings.Contains(err.Error(), "want") {
			t.Errorf("%+v: got error %v", o, err)
		}
	}
	w := dialWriters(t, &fake{}, WriterOptions{Writers: 1})
	if _, err := w.Run(0, 0); err == nil {
		t.Error("a run without an end was begun")
	}
}
