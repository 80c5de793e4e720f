package record

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"

	"deepstream-fast/internal/testkit"
	"deepstream-fast/lazyjson"
	"deepstream-fast/protocol"
	"deepstream-fast/record/cache"
)

// world drives a Home with decisions drawn from choose, against a store that is slow, refuses, fails
// and sometimes does what it said it had not. It follows every message and knows what each record must
// be, what each subscriber has seen, and which requests are still owed an answer.
type world struct {
	t      testing.TB
	choose func(n int) int
	home   *Home
	cache  *cache.Cache
	clock  testkit.Clock

	refusing bool
	saves    []question // in the order the store was asked, and answers
	loads    []question
	disk     map[string]fact

	truth    map[string]fact // what every record is
	unsure   map[string]bool // after a NOTIFY: what the store has counts, whatever that is
	notices  map[uint64][]string
	subs     map[string]map[protocol.ConnID]int32 // version seen, or unseen
	owed     map[string]int                       // answers, by a key of the request
	sequence int
}

// unseen is the version of a subscriber that has not been answered.
const unseen = -2

// fact is a record: members by key. It is compared as a set, order being lazyjson's business.
type fact struct {
	exists  bool
	version int32
	members map[string]string
}

func (f fact) equal(g fact) bool {
	return f.exists == g.exists && (!f.exists || f.version == g.version && maps.Equal(f.members, g.members))
}

type question struct {
	token uint64
	names []string
	heads bool
	save  bool
	fact  fact // to be saved
}

func members(data []byte) map[string]string {
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(data, &raw); err != nil {
		panic(fmt.Sprintf("%q: %v", data, err))
	}
	m := map[string]string{}
	for k, v := range raw {
		m[k] = string(v)
	}
	return m
}

func newWorld(t testing.TB, choose func(n int) int, hashMask uint64) *world {
	w := &world{
		t: t, choose: choose, cache: cache.New(cache.Options{}),
		disk: map[string]fact{}, truth: map[string]fact{}, unsure: map[string]bool{},
		notices: map[uint64][]string{}, subs: map[string]map[protocol.ConnID]int32{}, owed: map[string]int{},
	}
	w.home = NewHome(Options{
		ExclusionPrefixes: []string{"x/"}, WritesPerRecordMax: 6, QueueMax: 40, SavesMax: 12, HeadsPerLoadMax: 2, QueueBytesMax: 20_000,
	}, w.cache, w)
	w.home.hashMask = hashMask
	for i, name := range modelNames[:2] {
		w.disk[name] = fact{true, int32(i), map[string]string{}}
		w.truth[name] = w.disk[name]
	}
	return w
}

var modelNames = []string{"a", "b", "c", "x/d"}

func (w *world) owe(key string, by int) {
	if w.owed[key] += by; w.owed[key] == 0 {
		delete(w.owed, key)
	} else if w.owed[key] < 0 {
		w.t.Fatalf("one answer too many: %s", key)
	}
}

// Send implements Out: it settles what is owed, and compares what is told with what is true.
func (w *world) Send(to protocol.ConnID, m *protocol.Message) {
	name := string(m.Name)
	switch m.Action {
	case protocol.RecordReadResponse:
		w.owe("read "+name, -1)
		if m.Version < 0 {
			w.observe(name, fact{version: m.Version})
		} else {
			w.observe(name, fact{true, m.Version, members(m.Data)})
		}
		w.saw(to, name, m.Version)
	case protocol.RecordHeadResponse:
		w.head(to, name, m.Version)
	case protocol.RecordHeadResponseBulk:
		for _, v := range m.Versions {
			w.head(to, string(v.Name), v.Version)
		}
	case protocol.RecordWriteAcknowledgement:
		w.owe("write "+string(m.CorrelationID), -1)
	case protocol.RecordVersionExists:
		if f := w.truth[name]; !w.unsure[name] && f.exists && !f.equal(fact{true, m.Version, members(m.Data)}) {
			w.t.Fatalf("conflict told with %v, is %+v", m, f)
		}
		if !m.IsWriteAck {
			w.owe("plain write "+string(m.CorrelationID), -1)
		}
	case protocol.RecordDeleteSuccess, protocol.RecordDeleteError:
		w.owe("delete "+name, -1)
	case protocol.RecordNotFound, protocol.RecordLoadError, protocol.RecordStorageRetrievalTimeout, protocol.RecordCreateError:
		w.failed(m.OriginalAction, name)
	case protocol.RecordInvalidVersion, protocol.RecordInvalidMessageData:
		w.writeFailed(m)
	case protocol.RecordUpdateError:
		switch m.OriginalAction {
		case 0, protocol.RecordUpdate, protocol.RecordPatch, protocol.RecordPatchMulti:
			w.writeFailed(m)
		}
	default:
		w.t.Fatalf("unexpected %v", m)
	}
}

func (w *world) failed(original protocol.Action, name string) {
	switch original {
	case protocol.RecordHead, protocol.RecordSubscribeAndHead:
		w.owe("head "+name, -1)
	case protocol.RecordNotify: // NotifyDone follows; nobody was told what the store has now
		for conn := range w.subs[name] {
			w.subs[name][conn] = unseen
		}
	default:
		w.owe("read "+name, -1)
	}
}

func (w *world) writeFailed(m *protocol.Message) {
	if m.IsWriteAck {
		w.owe("write "+string(m.CorrelationID), -1)
	} else {
		w.owe("plain write "+string(m.CorrelationID), -1)
	}
}

func (w *world) head(to protocol.ConnID, name string, version int32) {
	w.owe("head "+name, -1)
	f := w.truth[name]
	if !w.unsure[name] && (f.exists != (version >= 0) || f.exists && f.version != version) {
		w.t.Fatalf("head of %q is told as %d, is %+v", name, version, f)
	}
	w.saw(to, name, version)
}

// observe compares a whole record with the truth, or learns it. A missing record that shows up with
// version 0 and no members was created.
func (w *world) observe(name string, f fact) {
	created := !w.truth[name].exists && f.equal(fact{exists: true})
	if !w.unsure[name] && !created && !f.equal(w.truth[name]) {
		w.t.Fatalf("%q is told as %+v, is %+v", name, f, w.truth[name])
	}
	w.truth[name] = f
	if len(w.noticing(name)) == 0 {
		delete(w.unsure, name)
	}
}

// noticing returns the tokens of the NOTIFYs that name is part of.
func (w *world) noticing(name string) (tokens []uint64) {
	for token, names := range w.notices {
		for _, n := range names {
			if n == name {
				tokens = append(tokens, token)
			}
		}
	}
	return tokens
}

func (w *world) saw(conn protocol.ConnID, name string, version int32) {
	if _, ok := w.subs[name][conn]; ok {
		w.subs[name][conn] = version
	}
}

// Broadcast implements Out: versions have no gaps, for nobody who has a version.
func (w *world) Broadcast(key []byte, except protocol.ConnID, m *protocol.Message, full []byte) {
	name := string(key)
	f := w.truth[name]
	if m.Action == protocol.RecordDeleted {
		w.truth[name] = fact{version: -1}
		return
	}
	if except == 0 { // NOTIFY
		w.observe(name, fact{true, m.Version, members(m.Data)})
		for conn := range w.subs[name] {
			w.subs[name][conn] = m.Version
		}
		return
	}
	if !f.exists {
		f = fact{exists: true}
	}
	if !w.unsure[name] && m.Version != f.version+1 {
		w.t.Fatalf("%v after version %d", m, f.version)
	}
	for conn, seen := range w.subs[name] {
		if seen != unseen && !w.unsure[name] && m.Version != max(seen, 0)+1 {
			w.t.Fatalf("%v has seen version %d and is told %v", conn, seen, m)
		}
		if seen != unseen {
			w.subs[name][conn] = m.Version
		}
	}
	f.members = changed(f.members, m)
	if f.version = m.Version; full != nil && !w.unsure[name] && !maps.Equal(members(full), f.members) {
		w.t.Fatalf("%v leads to %q", m, full)
	}
	w.truth[name] = f
}

// changed returns the members after an update or patch of one key.
func changed(old map[string]string, m *protocol.Message) map[string]string {
	next := maps.Clone(old)
	if next == nil {
		next = map[string]string{}
	}
	switch {
	case m.Action == protocol.RecordUpdate:
		return members(m.Data)
	case m.Action == protocol.RecordPatchMulti:
		var patches []struct {
			Path string
			Data json.RawMessage
		}
		if err := json.Unmarshal(m.Data, &patches); err != nil {
			panic(err)
		}
		for _, p := range patches {
			next[p.Path] = string(p.Data)
		}
	case m.Data == nil:
		delete(next, string(m.Path))
	default:
		next[string(m.Path)] = string(m.Data)
	}
	return next
}

func (w *world) DropSubscribers(name []byte, spared []protocol.ConnID) {
	for conn := range w.subs[string(name)] {
		if !slices.Contains(spared, conn) {
			delete(w.subs[string(name)], conn)
		} else {
			w.subs[string(name)][conn] = unseen
		}
	}
}

func (w *world) Unsubscribe(conn protocol.ConnID, name []byte) { delete(w.subs[string(name)], conn) }

func (w *world) HasSubscribers(name []byte) bool { return len(w.subs[string(name)]) > 0 }

func (w *world) refuses() bool { return w.refusing && w.choose(3) == 0 }

func (w *world) Load(name []byte, token uint64) bool { return w.LoadHeads([][]byte{name}, token) }

func (w *world) LoadHeads(names [][]byte, token uint64) bool {
	if w.refuses() {
		return false
	}
	q := question{token: token}
	q.heads = w.home.asks.find(token, askHeads) != nil
	for _, name := range names {
		q.names = append(q.names, string(name))
	}
	w.loads = append(w.loads, q)
	return true
}

func (w *world) Save(s *Save, token uint64) bool {
	if w.refuses() {
		return false
	}
	q := question{token: token, save: true, names: []string{string(s.Name)}, fact: fact{version: -1}}
	if !s.Deleted {
		if !lazyjson.Valid(s.Data) {
			w.t.Fatalf("saved %q", s.Data)
		}
		q.fact = fact{true, s.Version, members(s.Data)}
	}
	w.saves = append(w.saves, q)
	return true
}

func (w *world) NotifyDone(token uint64) {
	for _, name := range w.notices[token] {
		w.unsure[name] = w.home.stored([]byte(name)) || w.unsure[name]
	}
	delete(w.notices, token)
	w.owe(fmt.Sprint("notify ", token), -1)
}

func (w *world) StartTimer(after time.Duration, kind uint8) { w.clock.Start(after, kind, 0) }

// answerSave lets the store answer its oldest question.
func (w *world) answerSave(fails bool) {
	if len(w.saves) == 0 {
		return
	}
	q := w.saves[0]
	w.saves = w.saves[1:]
	if !fails || w.choose(2) == 0 { // the disk does not always say what it has done
		w.disk[q.names[0]] = q.fact
	}
	if fails {
		w.home.Saved(q.token, errStore)
	} else {
		w.home.Saved(q.token, nil)
	}
}

// answerLoad lets the store answer any question. What it says is what the record is.
func (w *world) answerLoad(fails bool) {
	if len(w.loads) == 0 {
		return
	}
	i := w.choose(len(w.loads))
	q := w.loads[i]
	w.loads = append(w.loads[:i:i], w.loads[i+1:]...)
	var err error
	if fails {
		err = errStore
	}
	if q.heads {
		versions := make([]int32, len(q.names))
		for i, name := range q.names {
			if versions[i] = -1; w.disk[name].exists {
				versions[i] = w.disk[name].version
			}
		}
		w.home.HeadsLoaded(q.token, versions, err)
		return
	}
	f := w.disk[q.names[0]]
	if err == nil && w.home.asks.find(q.token, askLoad) != nil {
		if name := q.names[0]; !w.unsure[name] && !f.equal(w.truth[name]) {
			w.t.Fatalf("%q is loaded as %+v, is %+v", name, f, w.truth[name])
		}
		if w.unsure[q.names[0]] {
			w.truth[q.names[0]] = f
		}
	}
	doc := map[string]json.RawMessage{}
	for k, v := range f.members {
		doc[k] = json.RawMessage(v)
	}
	w.home.Loaded(q.token, Loaded{Exists: f.exists, Version: f.version, Data: testkit.Must(json.Marshal(doc)), Err: err})
}

func (w *world) conn() protocol.ConnID { return testkit.Conn(1 + w.choose(3)) }

func (w *world) name() string { return modelNames[w.choose(len(modelNames))] }

// subscribe notes that conn is subscribed, and reports whether it was not.
func (w *world) subscribe(conn protocol.ConnID, name string) bool {
	if w.subs[name] == nil {
		w.subs[name] = map[protocol.ConnID]int32{}
	}
	_, was := w.subs[name][conn]
	w.subs[name][conn] = unseen
	return !was
}

func (w *world) write() {
	w.sequence++
	id, name := strconv.Itoa(w.sequence), w.name()
	o := Write{Request: Request{From: w.conn(), Name: []byte(name), CorrelationID: []byte(id)}, WantsAck: w.choose(2) == 0}
	o.HasVersion, o.Version = true, w.truth[name].version+int32(w.choose(4)) // 1 is right unless others come first
	if w.choose(3) == 0 {
		o.Version = protocol.AnyVersion
	}
	key := "k" + strconv.Itoa(w.choose(3))
	switch w.choose(6) {
	case 0:
		o.Action, o.Data = protocol.RecordUpdate, []byte(`{"`+key+`":`+id+`}`)
	case 1:
		o.Action, o.Data = protocol.RecordCreateAndUpdate, []byte(`{"`+key+`":`+id+`}`)
	case 2:
		o.Action, o.Path, o.Data = protocol.RecordCreateAndPatch, []byte(key), []byte(id)
	case 3:
		o.Action, o.Path = protocol.RecordErase, []byte(key)
	case 4:
		o.Action, o.Data = protocol.RecordPatchMulti, []byte(`[{"path":"`+key+`","data":`+id+`},{"path":"m","data":1}]`)
	default:
		o.Action, o.Path, o.Data = protocol.RecordPatch, []byte(key), []byte(id)
	}
	if o.WantsAck {
		w.owe("write "+id, 1)
		w.home.Write(o)
		return
	}
	w.owed["plain write "+id]++ // one answer at most
	w.home.Write(o)
}

func (w *world) step() {
	switch w.choose(24) {
	default:
		w.write()
	case 6:
		name := w.name()
		w.owe("read "+name, 1)
		w.home.Read(Request{From: testkit.Conn(9), Name: []byte(name)})
	case 7:
		name := w.name()
		w.owe("head "+name, 1)
		w.home.Head(Request{From: testkit.Conn(9), Name: []byte(name)})
	case 8, 9, 10:
		conn, name := w.conn(), w.name()
		s := Subscribe{Request: Request{From: conn, Name: []byte(name)}, Fresh: w.subscribe(conn, name)}
		s.Action = [2]protocol.Action{protocol.RecordSubscribeCreateAndRead, protocol.RecordSubscribeAndRead}[w.choose(2)]
		w.owe("read "+name, 1)
		w.home.SubscribeRead(s)
	case 11:
		conn := w.conn()
		var names [][]byte
		for range 1 + w.choose(4) {
			name := w.name()
			w.subscribe(conn, name)
			w.owe("head "+name, 1)
			names = append(names, []byte(name))
		}
		w.home.SubscribeHead(conn, names)
	case 12:
		name := w.name()
		w.owe("delete "+name, 1)
		w.home.Delete(Request{From: w.conn(), Name: []byte(name)})
	case 13:
		if w.choose(3) > 0 {
			return
		}
		w.sequence++
		token, name := uint64(w.sequence), w.name()
		w.notices[token] = []string{name}
		w.unsure[name] = true
		w.owe(fmt.Sprint("notify ", token), 1)
		w.home.Notify(testkit.Conn(9), token, [][]byte{[]byte(name)})
	case 14:
		name := w.name()
		w.owe("inspect "+name, 1)
		w.home.Inspect([]byte(name), func(Snapshot) { w.owe("inspect "+name, -1) })
	case 15, 16, 17:
		w.answerSave(w.choose(5) == 0)
	case 18, 19, 20:
		w.answerLoad(w.choose(6) == 0)
	case 21:
		w.refusing = w.choose(3) == 0
	case 22:
		w.advance([]time.Duration{time.Second, 3 * time.Second, 15 * time.Second}[w.choose(3)])
	case 23:
		w.evict(modelNames[w.choose(3)])
	}
}

// evict takes away what the budget could take.
func (w *world) evict(name string) {
	if t := w.home.find([]byte(name)); t == nil || !t.pinned && t.state != deleting {
		w.cache.Remove([]byte(name))
	}
}

func (w *world) advance(d time.Duration) {
	w.clock.Advance(d, func(t testkit.Timer) { w.home.Fired(t.Kind) })
}

func (w *world) check() {
	if err := w.home.verify(); err != nil {
		w.t.Fatalf("broken: %v", err)
	}
}

// drain lets everything end well: afterwards nobody is owed anything, nothing is left, and the store
// has every record as the subscribers saw it.
func (w *world) drain() {
	w.refusing = false
	for len(w.saves)+len(w.loads) > 0 || w.clock.Len() > 0 {
		for len(w.saves)+len(w.loads) > 0 {
			w.answerSave(false)
			w.answerLoad(false)
		}
		w.advance(time.Second)
		w.check()
	}
	for key := range w.owed {
		if key[:5] != "plain" {
			w.t.Fatalf("never answered: %s", key)
		}
	}
	s := w.home.Stats()
	s.CacheOnlyBytes, s.Refused, s.Timeouts = 0, 0, 0
	if s != (Stats{}) || len(w.home.transitions) != 0 {
		w.t.Fatalf("left over: %+v", s)
	}
	if p := w.cache.Stats().Pinned; p > 1 { // the record that has no store
		w.t.Fatalf("%d entries pinned", p)
	}
	for _, name := range modelNames {
		f := w.truth[name]
		if w.home.stored([]byte(name)) && !w.unsure[name] && !f.equal(w.disk[name]) {
			w.t.Fatalf("the store has %q as %+v, it is %+v", name, w.disk[name], f)
		}
		w.home.Inspect([]byte(name), func(s Snapshot) {
			if !w.unsure[name] && (s.Version >= 0) != f.exists || f.exists && s.Data != nil && !maps.Equal(members(s.Data), f.members) {
				w.t.Fatalf("%q is %+v %s, should be %+v", name, s, s.Data, f)
			}
		})
	}
}

func TestRandomHistories(t *testing.T) {
	runs, steps := 400, 400
	if testing.Short() {
		runs = 60
	}
	for seed := range uint64(runs) {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			mask := ^uint64(0)
			if seed%3 == 0 {
				mask = 0 // one chain for all
			}
			w := newWorld(t, rand.New(rand.NewPCG(seed, 1)).IntN, mask)
			for range steps {
				w.step()
				w.check()
			}
			w.drain()
		})
	}
}

// FuzzHome lets the input make every decision.
func FuzzHome(f *testing.F) {
	f.Add([]byte("\x08\x00\x00\x00\x12\x00\x05\x00\x01\x02\x03\x04\x05\x0c\x00\x0f\x01\x16\x02"))
	f.Add([]byte("\x0b\x00\x03\x00\x01\x02\x03\x00\x00\x12\x00\x00\x17\x00\x0d\x00\x00"))
	f.Fuzz(func(t *testing.T, input []byte) {
		if len(input) > 2000 {
			input = input[:2000]
		}
		w := newWorld(t, func(n int) int {
			if len(input) == 0 {
				return 0
			}
			c := input[0]
			input = input[1:]
			return int(c) % n
		}, 0)
		for len(input) > 0 {
			w.step()
			w.check()
		}
		w.drain()
	})
}
