package presence

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"deepstream-fast/internal/invariant"
	"deepstream-fast/internal/testkit"
	"deepstream-fast/protocol"
)

// recorder keeps the last of what a Directory sent and announced.
type recorder struct {
	data  []byte
	names []string
	user  string
	join  bool
	calls int
}

func (r *recorder) Send(_ protocol.ConnID, m *protocol.Message) {
	r.data = append(r.data[:0], m.Data...)
	r.names = r.names[:0]
	for it := m.Names.Iter(); it.Next(); {
		r.names = append(r.names, string(it.Name()))
	}
}

func (r *recorder) Announce(user []byte, _ protocol.ConnID, joined bool) {
	r.user, r.join = string(user), joined
	r.calls++
}

// TestModel compares a Directory with a plain map of counts over random interleavings.
func TestModel(t *testing.T) {
	for seed := range uint64(200) {
		if err := model(rand.New(rand.NewPCG(seed, 1)).IntN, 300); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
}

func model(choose func(n int) int, steps int) error {
	out := &recorder{}
	d := New(Options{}, out)
	online, sessions := map[string]int{}, map[protocol.ConnID]string{}
	for i := range steps {
		user := string(rune('a' + choose(6)))
		conn := testkit.Conn(1 + choose(12))
		as, in := sessions[conn]
		announced := out.calls
		change := 0
		if in {
			delete(sessions, conn)
			online[as]--
			d.Logout(conn, []byte(as))
			if user = as; online[as] == 0 {
				delete(online, as)
				change = 1
			}
		} else {
			sessions[conn] = user
			online[user]++
			d.Login(conn, []byte(user))
			if online[user] == 1 {
				change = 1
			}
		}
		if out.calls != announced+change || change == 1 && (out.user != user || out.join == in) {
			return fmt.Errorf("step %d: %d announcements, the last of %q", i, out.calls-announced, out.user)
		}
		if err := check(d, out, online, string(rune('a'+choose(6)))); err != nil {
			return fmt.Errorf("step %d: %w", i, err)
		}
	}
	for conn, user := range sessions {
		d.Logout(conn, []byte(user))
	}
	if d.Len() != 0 || len(d.pos) != 0 || len(d.counts) != 0 || len(d.logins) != 0 {
		return fmt.Errorf("%d users left behind", d.Len())
	}
	return nil
}

func check(d *Directory, out *recorder, online map[string]int, self string) error {
	if d.Len() != len(online) || len(d.pos) != len(online) || len(d.counts) != len(online) {
		return fmt.Errorf("%d users, want %d", d.Len(), len(online))
	}
	var want []string
	for user, n := range online {
		if i, ok := d.pos[user]; !ok || string(d.ids[i]) != user || d.counts[i] != uint32(n) {
			return fmt.Errorf("user %q is misplaced or miscounted", user)
		}
		if user != self {
			want = append(want, user)
		}
	}
	d.QueryAll(testkit.Conn(99), []byte(self))
	slices.Sort(want)
	slices.Sort(out.names)
	if !slices.Equal(out.names, want) {
		return fmt.Errorf("QueryAll = %q, want %q", out.names, want)
	}
	return nil
}

// TestInputsAreCopied overwrites what was passed in, as a reused read buffer does.
func TestInputsAreCopied(t *testing.T) {
	out := &recorder{}
	d := New(Options{}, out)
	user := []byte("ann")
	d.Login(testkit.Conn(1), user)
	copy(user, "XXX")
	asked := []byte("ann")
	d.Query(testkit.Conn(1), nil, protocol.ListNames([][]byte{asked}))
	if got, want := string(out.data), `{"ann":true}`; got != want {
		t.Fatalf("data = %s, want %s", got, want)
	}
	copy(asked, "XXX")
	d.Query(testkit.Conn(1), nil, protocol.ListNames([][]byte{[]byte("ann"), []byte("XXX")}))
	if got, want := string(out.data), `{"ann":true,"XXX":false}`; got != want {
		t.Fatalf("data = %s, want %s", got, want)
	}
}

func TestGhostsAreOurMistake(t *testing.T) {
	d := New(Options{}, &recorder{})
	d.Login(testkit.Conn(1), []byte("ann"))
	panicked := func(f func()) (yes bool) {
		defer func() { yes = recover() != nil }()
		f()
		return false
	}
	if panicked(func() { d.Login(testkit.Conn(1), []byte("ann")) }) != invariant.Enabled {
		t.Error("a second login of a connection must be an invariant")
	}
	if panicked(func() { d.Logout(testkit.Conn(2), []byte("bob")) }) != invariant.Enabled {
		t.Error("a logout without a login must be an invariant")
	}
}

func TestLargeQueriesAreNotKept(t *testing.T) {
	d := New(Options{}, &recorder{})
	list := make([][]byte, keptNamesMax+1)
	for i := range list {
		list[i] = fmt.Appendf(nil, "%0100d", i)
	}
	d.Query(testkit.Conn(1), nil, protocol.ListNames(list))
	if len(d.scratch.seen) != 0 || cap(d.scratch.buf) > keptBytesMax || d.scratch.seen != nil {
		t.Errorf("kept %d names and %d bytes", len(d.scratch.seen), cap(d.scratch.buf))
	}
}

func TestBudgets(t *testing.T) {
	out := &quiet{}
	d := New(Options{}, out)
	users := login(d, 1000)
	asked := protocol.ListNames(users[:50])
	d.Query(testkit.Conn(1), nil, asked)
	for _, b := range []struct {
		name string
		op   func()
	}{
		{"QueryAll", func() { d.QueryAll(testkit.Conn(1), users[500]) }},
		{"Query", func() { d.Query(testkit.Conn(1), nil, asked) }},
		{"second connection", func() { d.Login(testkit.Conn(5000), users[3]); d.Logout(testkit.Conn(5000), users[3]) }},
	} {
		if n := testing.AllocsPerRun(100, b.op); n != 0 && !invariant.Enabled {
			t.Errorf("%s allocates %v times, want 0", b.name, n)
		}
	}
}

// TestUserFootprint measures the live heap of an online user, id of 13 bytes included.
func TestUserFootprint(t *testing.T) {
	const users, bytesMax = 100_000, 128
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	ids := make([][]byte, users)
	for i := range ids {
		ids[i] = fmt.Appendf(nil, "user/%08d", i)
	}
	d := New(Options{}, &quiet{})
	before := heap()
	for i, id := range ids {
		d.Login(testkit.Conn(i+1), id)
	}
	d.logins = nil // not there in production
	perUser := (heap() - before) / users
	t.Logf("%d bytes per user", perUser)
	if perUser > bytesMax {
		t.Errorf("an online user takes %d bytes, want at most %d", perUser, bytesMax)
	}
	runtime.KeepAlive(ids)
	runtime.KeepAlive(d)
}

// FuzzString compares the escaped text with what encoding/json reads back.
func FuzzString(f *testing.F) {
	for _, s := range []string{"", "ann", `"\`, "\x00\x1f\x7f", "ü\u2028\U0001F600", "\xff\xc3", "a\xed\xa0\x80b", "\uFFFD"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		out := appendString(nil, in)
		var got string
		if err := json.Unmarshal(out, &got); err != nil {
			t.Fatalf("%q became %s: %v", in, out, err)
		}
		if want := string([]rune(string(in))); got != want {
			t.Fatalf("%q became %s, which reads %q, want %q", in, out, got, want)
		}
		if !utf8.Valid(out) || len(out) > 6*len(in)+2 {
			t.Fatalf("%q became %d bytes %q", in, len(out), out)
		}
	})
}

// FuzzDirectory reads its decisions from the input, a byte each.
func FuzzDirectory(f *testing.F) {
	f.Add([]byte(strings.Repeat("\x00\x01\x02\x05\x0b", 8)))
	f.Fuzz(func(t *testing.T, in []byte) {
		if len(in) > 4096 {
			return
		}
		steps := len(in) / 3
		choose := func(n int) int {
			b := int(in[0])
			in = in[1:]
			return b % n
		}
		if err := model(choose, steps); err != nil {
			t.Fatal(err)
		}
	})
}

type quiet struct{ sent int }

func (q *quiet) Send(protocol.ConnID, *protocol.Message) { q.sent++ }
func (q *quiet) Announce([]byte, protocol.ConnID, bool)  {}

// login brings n users online and returns their ids.
func login(d *Directory, n int) [][]byte {
	users := make([][]byte, n)
	for i := range users {
		users[i] = fmt.Appendf(nil, "user/%08d", i)
		d.Login(testkit.Conn(i+1), users[i])
	}
	return users
}

func BenchmarkLogin(b *testing.B) {
	d := New(Options{}, &quiet{})
	login(d, 100_000)
	user := []byte("user/somebody")
	b.ReportAllocs()
	for b.Loop() {
		d.Login(testkit.Conn(200_000), user)
		d.Logout(testkit.Conn(200_000), user)
	}
}

func BenchmarkQuery(b *testing.B) {
	for _, names := range []int{1, 50, 1000} {
		b.Run(fmt.Sprintf("users=100000/names=%d", names), func(b *testing.B) {
			d := New(Options{}, &quiet{})
			asked := protocol.ListNames(login(d, 100_000)[:names])
			b.ReportAllocs()
			for b.Loop() {
				d.Query(testkit.Conn(1), nil, asked)
			}
		})
	}
}

func BenchmarkQueryAll(b *testing.B) {
	d := New(Options{}, &quiet{})
	users := login(d, 100_000)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		d.QueryAll(testkit.Conn(1), users[i%len(users)])
	}
}
