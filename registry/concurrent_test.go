package registry

import (
	"bytes"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
)

// mail is a ref under way to another loop, with the key it was found for.
type mail struct {
	ref TopicRef
	key []byte
}

type mailbox struct {
	mu   sync.Mutex
	mail []mail
}

func (b *mailbox) post(m mail) {
	b.mu.Lock()
	b.mail = append(b.mail, m)
	b.mu.Unlock()
}

func (b *mailbox) drain() []mail {
	b.mu.Lock()
	defer b.mu.Unlock()
	m := b.mail
	b.mail = nil
	return m
}

// Loops on goroutines of their own change shared names, find each other's, walk all of them and mail
// refs to each other, while names die and their ids and memory are reused. A ref that is found or
// mailed must mean the same name for as long as the rules let its holder use it.
func TestConcurrentLoops(t *testing.T) {
	const n, ticks, rounds = 4, 1500, 30
	for _, h := range hashes {
		t.Run("hash="+h.name, func(t *testing.T) {
			tab, loops := newTestTable(n, h.mask)
			var boxes [n]mailbox
			var wg sync.WaitGroup
			for i, l := range loops {
				wg.Go(func() {
					r := rand.New(rand.NewPCG(uint64(i), 9))
					var at Cursor
					// Nobody stops before the rounds got somewhere, so that nobody waits for one who did.
					for tick := 0; tick < ticks || tab.round.Load() < rounds; tick++ {
						for _, m := range boxes[i].drain() {
							if !bytes.Equal(tab.Key(m.ref), m.key) {
								t.Errorf("mail for %q arrived as %q", m.key, tab.Key(m.ref))
							}
							l.Subscribers(m.ref)
						}
						runTick(t, tab, l, r, &boxes)
						at, _ = tab.Walk(at, 100, 'E', func(ref TopicRef, key []byte, _ uint64) bool {
							if !bytes.Equal(tab.Key(ref), key) || key[0] != 'E' {
								t.Errorf("walked over %v as %q, which is %q", ref, key, tab.Key(ref))
							}
							return true
						})
						if int(at) >= len(*tab.records.Load())*chunkRecords {
							at = 0
						}
						l.Quiesce()
						runtime.Gosched() // a real loop would sleep in its poller now
					}
				})
			}
			wg.Wait()
			check(t, tab, loops)
			for _, l := range loops {
				for slot := range uint32(20) {
					for l.RemoveConn(slot, 10, nil) {
						l.Quiesce()
					}
				}
			}
			settle(t, tab, loops)
			check(t, tab, loops)
			if tab.names.words != 0 {
				t.Errorf("%d words of names left", tab.names.words)
			}
		})
	}
}

// runTick does a dozen random things on l.
func runTick(t *testing.T, tab *Table, l *Loop, r *rand.Rand, boxes *[4]mailbox) {
	for range 12 {
		slot, key := uint32(r.IntN(20)), testKey('E', r.IntN(200))
		switch r.IntN(6) {
		case 0, 1:
			res, err := l.Subscribe(slot, key)
			if err != nil || !l.Subscribed(slot, key) || tab.Mask(res.Ref)&l.bit == 0 {
				t.Errorf("Subscribe(%d, %q): %+v, %v", slot, key, res, err)
			}
		case 2, 3:
			l.Unsubscribe(slot, key)
		case 4:
			for l.RemoveConn(slot, 5, nil) {
			}
		case 5:
			ref, _, ok := tab.Find(key)
			if !ok {
				continue
			}
			if !bytes.Equal(tab.Key(ref), key) {
				t.Errorf("found %q as %q", key, tab.Key(ref))
			}
			boxes[r.IntN(len(boxes))].post(mail{ref, key})
		}
	}
}

// Thousands of names come and go on every loop, so that chunks of records, spans and tables come and go
// with them, while the other loops find, walk and mail those names.
func TestConcurrentMemory(t *testing.T) {
	const n, names, generations = 3, 3000, 6
	tab, loops := newTestTable(n, ^uint32(0))
	var boxes [n]mailbox
	var wg sync.WaitGroup
	var done atomic.Bool
	for i, l := range loops {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(i), 11))
			var at Cursor
			for next := 0; !done.Load(); {
				for _, m := range boxes[i].drain() {
					if !bytes.Equal(tab.Key(m.ref), m.key) {
						t.Errorf("mail for %q arrived as %q", m.key, tab.Key(m.ref))
					}
				}
				if next < names {
					for range 100 {
						mustSubscribe(t, l, 1, testKey('E', next*n+i))
						next++
					}
				} else if !l.RemoveConn(1, 300, nil) {
					next = 0
				}
				for range 10 {
					key := testKey('E', r.IntN(names*n))
					if ref, _, ok := tab.Find(key); ok {
						boxes[r.IntN(n)].post(mail{ref, key})
					}
				}
				var end bool
				if at, end = tab.Walk(at, 500, 'E', func(ref TopicRef, key []byte, _ uint64) bool {
					if !bytes.Equal(tab.Key(ref), key) {
						t.Errorf("walked over %v as %q, which is %q", ref, key, tab.Key(ref))
					}
					return true
				}); end {
					at = 0
				}
				l.Quiesce()
				if i == 0 && closings(tab) >= generations {
					done.Store(true)
				}
				runtime.Gosched()
			}
		})
	}
	wg.Wait()
	check(t, tab, loops)
}

// closings returns how often the memory of one chunk was given up, at least.
func closings(tab *Table) (most int) {
	tab.mu.Lock()
	defer tab.mu.Unlock()
	for i := range tab.ids.chunks {
		most = max(most, int(tab.ids.chunks[i].gen)-1)
	}
	return most
}
