package record

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"deepstream-fast/lazyjson"
	"deepstream-fast/protocol"
)

func TestOptionsValidate(t *testing.T) {
	if err := (Options{}).Validate(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		opts Options
		want string
	}{
		{Options{LoadTimeout: -time.Second}, "record.storageRetrievalTimeout:"},
		{Options{SaveTimeout: -1}, "record.saveTimeout:"},
		{Options{RecordBytesMax: lazyjson.DocBytesMax + 1}, "record.recordBytesMax:"},
		{Options{UnsavedMax: -1}, "record.unsavedMax:"},
	} {
		if err := c.opts.Validate(); err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %s", c.opts, err, c.want)
		}
	}
}

// Answers to questions nobody asked change nothing.
func TestForeignTokens(t *testing.T) {
	s := newSink(128, Options{})
	s.home.Write(Write{Request: s.request(), Action: protocol.RecordUpdate, HasVersion: true, Version: 2, Data: []byte("{}")})
	token, before := s.saves[0], s.sent
	for _, foreign := range []uint64{0, token + 1, token + 1<<32, ^uint64(0)} {
		s.home.Saved(foreign, nil)
		s.home.Loaded(foreign, Loaded{})
		s.home.HeadsLoaded(foreign, nil, nil)
	}
	s.home.Loaded(token, Loaded{}) // an answer of the wrong kind
	if s.home.Stats().Saves != 1 || s.sent != before {
		t.Fatalf("%+v after %d messages", s.home.Stats(), s.sent-before)
	}
	s.answer()
	if s.home.Stats() != (Stats{}) {
		t.Fatalf("left over: %+v", s.home.Stats())
	}
}

// Large documents and requests pass, and their buffers do not stay.
func TestLargeBuffersAreGivenBack(t *testing.T) {
	s := newSink(2*docKeepBytes, Options{})
	s.patch()
	if e, _ := s.home.cache.Get(benchName); e.Version != 2 || !bytes.HasPrefix(e.Data, []byte(`{"counter":12345,`)) {
		t.Fatalf("version %d, %.20s", e.Version, e.Data)
	}
	if cap(s.home.doc) > docKeepBytes {
		t.Errorf("scratch of %d bytes kept", cap(s.home.doc))
	}

	m := &machine{}
	m.start(Options{})
	id := bytes.Repeat([]byte("i"), 2*keepBytes)
	name := bytes.Repeat([]byte("n"), NameBytesMax)
	w := Write{Request: Request{From: 1, Name: name, CorrelationID: id}, Action: protocol.RecordCreateAndUpdate, WantsAck: true}
	w.HasVersion, w.Version, w.Data = true, 1, []byte("[]")
	m.home.Write(w)
	m.home.Loaded(m.asked[0], Loaded{})
	m.home.Saved(m.asked[1], nil)
	if got := m.Take(); !strings.Contains(got, "WRITE_ACKNOWLEDGEMENT") || !strings.Contains(got, string(id)) {
		t.Errorf("not acknowledged: %.100s", got)
	}
	if len(m.home.pool) != 0 {
		t.Error("transition with a long name kept")
	}
	for _, o := range m.home.opPool {
		if cap(o.buf) > keepBytes {
			t.Errorf("buffer of %d bytes kept", cap(o.buf))
		}
	}
	if a := m.home.asks.slots[0]; cap(a.correlationID) > keepBytes {
		t.Errorf("correlation id of %d bytes kept", cap(a.correlationID))
	}
}

// A write that was validated on its sender's loop is not scanned again, and one that was not is.
func TestValidate(t *testing.T) {
	w := Write{Data: []byte("{oops")}
	w.Validate()
	w.Data = []byte("{}") // would pass if it were looked at
	w.Validate()
	if w.checked != malformed {
		t.Fatalf("state %d", w.checked)
	}
	absent := Write{}
	if absent.Validate(); absent.checked != valid {
		t.Fatal("absent data is malformed")
	}
	known := Write{Data: []byte("{oops")} // whoever says so has looked
	known.MarkValid()
	if known.Validate(); known.checked != valid {
		t.Fatal("checked once more")
	}
}
