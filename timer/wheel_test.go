package timer

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
	"unsafe"
)

const ms = time.Millisecond

type fired struct {
	kind uint8
	key  uint64
}

func advance(w *Wheel, now time.Duration) []fired {
	var out []fired
	w.Advance(now, func(kind uint8, key uint64) { out = append(out, fired{kind, key}) })
	return out
}

func TestOptionsValidate(t *testing.T) {
	for _, o := range []Options{{}, {Slots: 1}, {Slots: SlotsMax}, {TickDuration: 1}} {
		if err := o.Validate(); err != nil {
			t.Errorf("%+v: %v", o, err)
		}
	}
	for _, o := range []Options{{Slots: 3}, {Slots: -1}, {Slots: 2 * SlotsMax}, {TickDuration: -1}} {
		if o.Validate() == nil {
			t.Errorf("%+v: no error", o)
		}
	}
}

func TestFiresNeverEarlyAndWithinATick(t *testing.T) {
	for _, at := range []time.Duration{-ms, 0, 1, 63 * ms, 64 * ms, 65 * ms, 10*time.Second + 1, 5 * time.Minute, time.Hour} {
		t.Run(at.String(), func(t *testing.T) {
			w := New(Options{})
			w.Start(7 * ms)
			at += 7 * ms
			w.Add(at, 3, 42)
			for now := 7 * ms; now <= max(at, 7*ms)+64*ms; now += ms {
				if out := advance(w, now); len(out) > 0 {
					if now < at {
						t.Fatalf("fired at %v, before %v", now, at)
					}
					if out[0] != (fired{3, 42}) || len(out) != 1 || w.Len() != 0 {
						t.Fatalf("fired %v, %d left", out, w.Len())
					}
					return
				}
			}
			t.Fatalf("not fired a tick after %v", at)
		})
	}
}

func TestOrderAfterAStall(t *testing.T) {
	for _, stall := range []time.Duration{3 * ms, 16 * ms, 100 * ms, time.Hour, (TicksMax + 1000) * ms} {
		t.Run(stall.String(), func(t *testing.T) {
			w := New(Options{Slots: 16, TickDuration: ms})
			r := rand.New(rand.NewPCG(1, 2))
			type entry struct{ at, seq time.Duration }
			var want []entry
			for i := range time.Duration(2000) {
				at := 1 + time.Duration(r.IntN(200))
				w.Add(at*ms, 0, uint64(i))
				if at*ms <= stall {
					want = append(want, entry{at, i})
				}
			}
			slices.SortFunc(want, func(a, b entry) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.seq, b.seq)) })
			out := advance(w, stall)
			if len(out) != len(want) || w.Len() != 2000-len(want) {
				t.Fatalf("fired %d of %d, %d left", len(out), len(want), w.Len())
			}
			for i := range out {
				if out[i].key != uint64(want[i].seq) {
					t.Fatalf("%d. is entry %d, want %d (tick %d)", i, out[i].key, want[i].seq, want[i].at)
				}
			}
		})
	}
}

func TestFireMayAddAndCancel(t *testing.T) {
	w := New(Options{Slots: 8, TickDuration: ms})
	var second, self ID
	self = w.Add(ms, 0, 1)
	second = w.Add(ms, 0, 2)
	rounds := 0
	w.Advance(5*ms, func(_ uint8, key uint64) {
		if key != 1 {
			t.Errorf("fired %d, which was cancelled or belongs to a later Advance", key)
		}
		if w.Cancel(self) {
			t.Error("a fired entry could be cancelled")
		}
		if !w.Cancel(second) {
			t.Error("an entry due in the same tick could not be cancelled")
		}
		rounds++
		w.Add(0, 0, 3)
	})
	if out := advance(w, 6*ms); rounds != 1 || len(out) != 1 || out[0].key != 3 {
		t.Fatalf("%d rounds, then %v", rounds, out)
	}
}

func TestPanicInFireLosesNothing(t *testing.T) {
	w := New(Options{Slots: 8, TickDuration: ms})
	for key := range uint64(3) {
		w.Add(ms, 0, key)
	}
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic was swallowed")
			}
		}()
		w.Advance(ms, func(uint8, uint64) { panic("handler") })
	}()
	if out := advance(w, ms); len(out) != 2 || out[0].key != 1 || out[1].key != 2 {
		t.Fatalf("then fired %v", out)
	}
}

func TestStaleAndForeignIDs(t *testing.T) {
	w := New(Options{Slots: 8, TickDuration: ms})
	old := w.Add(ms, 0, 1)
	if !w.Cancel(old) || w.Cancel(old) {
		t.Fatal("an entry is cancelled exactly once")
	}
	reused := w.Add(ms, 0, 2)
	if uint32(old) != uint32(reused) {
		t.Fatal("the node was not reused")
	}
	for _, id := range []ID{old, 0, 1, 8, 1 << 20, ^ID(0)} {
		if w.Cancel(id) {
			t.Errorf("Cancel(%#x) hit an entry", id)
		}
	}
	if w.Len() != 1 {
		t.Errorf("%d entries pending", w.Len())
	}
}

func TestLimitsOfTimeAndEntries(t *testing.T) {
	w := New(Options{TickDuration: ms})
	if w.Add(TicksMax*ms, 0, 0) == 0 || w.Add((TicksMax+1)*ms, 0, 0) != 0 {
		t.Error("TicksMax is not the furthest tick")
	}
	w.count = EntriesMax
	if w.Add(ms, 0, 0) != 0 {
		t.Error("an entry beyond EntriesMax was taken")
	}
}

// runModel plays prog against a wheel and a plain list.
func runModel(t *testing.T, opts Options, prog []byte) {
	t.Helper()
	type entry struct {
		id   ID
		at   time.Duration
		tick time.Duration
		key  uint64
	}
	w := New(opts)
	var model []entry
	var now time.Duration
	for len(prog) >= 3 {
		op, arg := prog[0]%4, time.Duration(prog[1])<<8|time.Duration(prog[2])
		prog = prog[3:]
		switch op {
		case 0, 1:
			at := now + arg*ms/4
			tick := max(now/opts.TickDuration+1, (at+opts.TickDuration-1)/opts.TickDuration)
			model = append(model, entry{w.Add(at, uint8(arg), uint64(len(prog))), at, tick, uint64(len(prog))})
		case 2:
			if len(model) > 0 {
				i := int(arg) % len(model)
				if !w.Cancel(model[i].id) || w.Cancel(model[i].id) {
					t.Fatalf("entry %d is not cancelled exactly once", model[i].key)
				}
				model = slices.Delete(model, i, i+1)
			}
		case 3:
			now += arg * ms / 16
			slices.SortStableFunc(model, func(a, b entry) int { return cmp.Compare(a.tick, b.tick) })
			n := 0
			for n < len(model) && model[n].tick <= now/opts.TickDuration {
				n++
			}
			var got []uint64
			w.Advance(now, func(_ uint8, key uint64) { got = append(got, key) })
			if len(got) != n {
				t.Fatalf("at %v fired %d of %d", now, len(got), n)
			}
			for i, key := range got {
				if key != model[i].key || model[i].at > now {
					t.Fatalf("at %v fired %d as number %d, want %+v", now, key, i, model[i])
				}
			}
			model = model[n:]
		}
		if w.Len() != len(model) {
			t.Fatalf("Len %d, want %d", w.Len(), len(model))
		}
	}
}

var modelOptions = []Options{{Slots: 1, TickDuration: 3 * ms}, {Slots: 16, TickDuration: ms}, {Slots: 4096, TickDuration: 64 * ms}}

func TestModel(t *testing.T) {
	for _, o := range modelOptions {
		t.Run(fmt.Sprintf("slots=%d", o.Slots), func(t *testing.T) {
			for seed := range uint64(20) {
				r := rand.New(rand.NewPCG(seed, 0))
				prog := make([]byte, 3*3000)
				for i := range prog {
					prog[i] = byte(r.Uint32())
				}
				runModel(t, o, prog)
				if t.Failed() {
					t.Fatalf("seed %d", seed)
				}
			}
		})
	}
}

func FuzzWheel(f *testing.F) {
	f.Add([]byte{0, 0, 4, 0, 0, 4, 3, 0, 255, 2, 0, 0})           // two of one tick, then nothing to cancel
	f.Add([]byte{0, 1, 0, 0, 255, 255, 2, 0, 0, 3, 255, 255})     // cancel one, stall past the other
	f.Add([]byte{1, 0, 0, 3, 0, 1, 1, 0, 200, 3, 9, 9, 3, 0, 16}) // already due, then several turns
	f.Fuzz(func(t *testing.T, prog []byte) {
		if len(prog) > 3*500 {
			return
		}
		for _, o := range modelOptions {
			runModel(t, o, prog)
		}
	})
}

func TestBudgets(t *testing.T) {
	if size := unsafe.Sizeof(node{}); size != 24 {
		t.Errorf("a node takes %d bytes, budget 24", size)
	}
	w := New(Options{TickDuration: ms})
	var now time.Duration
	fire := func(uint8, uint64) {}
	for i := range time.Duration(chunkNodes) {
		w.Add(time.Hour+i, 0, 0)
	}
	chunks := len(w.chunks)
	allocs := testing.AllocsPerRun(10_000, func() {
		id := w.Add(now+5*ms, 1, 2)
		w.Add(now+3*ms, 1, 2)
		w.Cancel(id)
		now += ms
		w.Advance(now, fire)
	})
	if allocs != 0 || len(w.chunks) > chunks+1 {
		t.Errorf("%v allocs per add, cancel, fire; slab went from %d to %d chunks", allocs, chunks, len(w.chunks))
	}
}
