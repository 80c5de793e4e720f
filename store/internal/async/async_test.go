package async

import (
	"errors"
	"sync"
	"testing"

	"deepstream-fast/store"
)

func TestWritesHandOutEverythingOnceInOrder(t *testing.T) {
	q := NewWrites(1 << 30)
	const producers, each = 4, 5000
	var wg sync.WaitGroup
	for p := range producers {
		wg.Go(func() { // ends after each submissions
			for i := range each {
				w := store.Write{Name: []byte("x"), Token: uint64(p)<<32 | uint64(i)}
				if err := q.Push([]store.Write{w}, nil); err != nil {
					panic(err)
				}
			}
		})
	}
	go func() { wg.Wait(); q.Close() }() // ends with the producers
	var next [producers]uint64
	for range q.Ready() {
		subs, closed := q.Take()
		for _, sub := range subs {
			p, i := sub.Writes[0].Token>>32, sub.Writes[0].Token&(1<<32-1)
			if i != next[p] {
				t.Fatalf("producer %d: submission %d after %d", p, i, next[p])
			}
			next[p]++
			q.Release(sub.Size)
		}
		if closed {
			break
		}
	}
	for p, n := range next {
		if n != each {
			t.Errorf("producer %d: %d of %d", p, n, each)
		}
	}
	if q.Bytes() != 0 {
		t.Errorf("%d bytes left", q.Bytes())
	}
	if err := q.Push(nil, nil); !errors.Is(err, store.ErrClosed) {
		t.Errorf("push after close: %v", err)
	}
}

func TestWritesPushAllocs(t *testing.T) {
	q := NewWrites(1 << 30)
	writes := []store.Write{{Name: []byte("x")}}
	turn := func() {
		for range 100 {
			if err := q.Push(writes, nil); err != nil {
				t.Fatal(err)
			}
		}
		subs, _ := q.Take()
		for i := range subs {
			q.Release(subs[i].Size)
		}
	}
	turn()
	turn()
	if n := testing.AllocsPerRun(100, turn); n > 0 {
		t.Fatalf("%v allocations for 100 pushes", n)
	}
}

func TestReadersQueueAndRefuse(t *testing.T) {
	r := NewReaders(1, 2)
	release, started := make(chan struct{}), make(chan struct{})
	ran := 0
	if err := r.Do(func() { close(started); <-release; ran++ }); err != nil {
		t.Fatal(err)
	}
	<-started
	for range 2 {
		if err := r.Do(func() { ran++ }); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Do(func() {}); !errors.Is(err, store.ErrBusy) {
		t.Fatalf("over the limit: %v", err)
	}
	if r.Len() != 2 || r.Busy() != 1 {
		t.Fatalf("%d wait, %d refused", r.Len(), r.Busy())
	}
	close(release)
	r.Close()
	if ran != 3 {
		t.Fatalf("%d of 3 jobs ran", ran)
	}
	if err := r.Do(func() {}); !errors.Is(err, store.ErrClosed) {
		t.Fatalf("after close: %v", err)
	}
}
