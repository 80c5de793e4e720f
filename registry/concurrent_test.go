package registry

import (
	"bytes"
	"math/rand/v2"
	"runtime"
	"sync"
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
