package memory

import (
	"errors"
	"testing"

	"deepstream-fast/store"
	"deepstream-fast/store/storetest"
)

func TestContract(t *testing.T) {
	storetest.Run(t, storetest.Backend{Open: func(t *testing.T, c storetest.Config) store.Store {
		return New(Options{TombstoneRetention: c.TombstoneRetention, Now: c.Now, QueueBytesMax: c.QueueBytesMax})
	}})
}

func write(name string, version int32, data string) store.Write {
	return store.Write{Name: []byte(name), Version: version, Data: []byte(data)}
}

func TestDiscardKeepsNothing(t *testing.T) {
	s := New(Options{Discard: true})
	storetest.Put(t, s, write("x", 1, `{}`))
	storetest.Expect(t, s, "x", store.Absent, "")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestBytesMax(t *testing.T) {
	s := New(Options{BytesMax: 100})
	defer s.Close()
	storetest.Put(t, s, write("x", 1, string(make([]byte, 60))))
	if o := storetest.Submit(t, s, write("y", 1, string(make([]byte, 60)))); !errors.Is(o[0].Err, store.ErrFull) {
		t.Fatalf("over the limit: %+v", o)
	}
	storetest.Expect(t, s, "y", store.Absent, "")
	storetest.Put(t, s, write("x", 2, `{}`), write("y", 1, string(make([]byte, 60))))
	storetest.Expect(t, s, "x", storetest.Live(2), `{}`)
}
