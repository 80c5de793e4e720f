package valve

import (
	"hash/maphash"
	"slices"
	"strings"
	"sync/atomic"

	"deepstream-fast/permission"
	"deepstream-fast/protocol"
)

// Rules is a compiled permission file. It is immutable, but for a cache, and safe for concurrent use.
type Rules struct {
	kinds [ruleKinds]ruleList
	file  string
	count int
}

// rule is one rule of a file.
type rule struct {
	kind ruleKind
	path string
	text string // as written; of a boolean "true" or "false"
	root *node
	uses uses
	at   position

	constant   bool
	answer     permission.Answer // if constant
	nonBoolean atomic.Bool       // a result that is no boolean was reported
}

// ruleList holds the patterns with a rule of one kind, longest first: the first that matches decides.
type ruleList struct {
	patterns []*pattern
	cache    *selections // nil where looking through the patterns is quick enough
	reaches  bool        // some rule may look at records
}

// selection says which pattern won for a name, and how it matched.
type selection struct {
	kind    ruleKind
	name    string
	pattern *pattern
	vars    captures
}

const (
	// selectionsMax is how many selections are kept, all kinds of rules together.
	selectionsMax = 1 << 16
	// selectionNameBytesMax is the longest name whose selection is kept: all of them take 30 MiB at most.
	selectionNameBytesMax = 256
	// scanMax is how many patterns are looked through each time rather than remembered.
	scanMax = 16
)

// selections is a cache that reads and writes without locks: a table by hash, where a newer selection
// takes the place of an older one.
type selections struct {
	seed  maphash.Seed
	slots [selectionsMax]atomic.Pointer[selection]
}

func newSelections() *selections { return &selections{seed: maphash.MakeSeed()} }

// Len returns the number of rules.
func (r *Rules) Len() int { return r.count }

// File returns the name of the file the rules came from.
func (r *Rules) File() string { return r.file }

// finish orders the patterns and decides what is cached. On equal length the later pattern comes first.
func (r *Rules) finish() {
	var cache *selections
	for k := range r.kinds {
		list := &r.kinds[k]
		slices.Reverse(list.patterns)
		slices.SortStableFunc(list.patterns, func(a, b *pattern) int { return b.length - a.length })
		slow := len(list.patterns) > scanMax
		for _, p := range list.patterns {
			slow = slow || p.regex != nil
			list.reaches = list.reaches || p.rule.reaches()
		}
		if slow && cache == nil {
			cache = newSelections()
		}
		if slow {
			list.cache = cache
		}
	}
}

// reaches reports whether r may look at records: the one that is patched, too.
func (r *rule) reaches() bool {
	return r.uses.oldData || r.uses.references || r.uses.data && r.kind == recordWrite
}

// nameless is what a message without a name is matched as, as the official server does: to let only the
// path * match would give more rights, not fewer.
const nameless = "undefined"

// find returns the rule of a kind that decides about a name, or nil if there is none; vars is set then.
func (r *Rules) find(k ruleKind, name []byte, vars *captures) *rule {
	text := nameless
	if name != nil {
		text = view(name)
	}
	list := &r.kinds[k]
	var p *pattern
	if list.cache != nil && len(text) <= selectionNameBytesMax {
		p = list.cache.find(list, k, text, vars)
	} else {
		p = list.scan(text, vars)
	}
	if p == nil {
		return nil
	}
	if name == nil {
		for i := range vars {
			vars[i].from = -1
		}
	}
	return p.rule
}

// scan looks through the patterns. Where one cannot tell whether it matches none does, since a shorter one
// might give rights that it denies.
func (l *ruleList) scan(name string, vars *captures) *pattern {
	for _, p := range l.patterns {
		if ok, err := p.match(name, vars); ok {
			return p
		} else if err != nil {
			return nil
		}
	}
	return nil
}

// find looks the name up, or else through the patterns.
func (s *selections) find(l *ruleList, k ruleKind, name string, vars *captures) *pattern {
	slot := s.slot(k, name)
	if hit := slot.Load(); hit != nil && hit.kind == k && hit.name == name {
		*vars = hit.vars
		return hit.pattern
	}
	p := l.scan(name, vars)
	if p != nil {
		slot.Store(&selection{kind: k, name: strings.Clone(name), pattern: p, vars: *vars})
	}
	return p
}

// slot returns where the selection for a kind and a name is, if it is kept.
func (s *selections) slot(k ruleKind, name string) *atomic.Pointer[selection] {
	const spread = 0x9E3779B97F4A7C15 // an odd number with bits all over
	return &s.slots[(maphash.String(s.seed, name)+uint64(k)*spread)%selectionsMax]
}

// kindOf returns the kind of rule an action needs; noRule passes. Source: rule map
// of the official server's permission service.
func kindOf(t protocol.Topic, a protocol.Action) ruleKind {
	switch t {
	case protocol.TopicEvent:
		switch a {
		case protocol.EventEmit:
			return eventPublish
		case protocol.EventSubscribe:
			return eventSubscribe
		case protocol.EventListen:
			return eventListen
		}
	case protocol.TopicRecord:
		return recordKindOf(a)
	case protocol.TopicRPC:
		switch a {
		case protocol.RPCRequest:
			return rpcRequest
		case protocol.RPCProvide:
			return rpcProvide
		}
	case protocol.TopicPresence:
		switch a {
		case protocol.PresenceQueryAll, protocol.PresenceQuery, protocol.PresenceSubscribe, protocol.PresenceSubscribeAll:
			return presenceAllow
		}
	}
	return noRule
}

func recordKindOf(a protocol.Action) ruleKind {
	switch a {
	case protocol.RecordRead, protocol.RecordHead, protocol.RecordSubscribe, protocol.RecordSubscribeAndHead,
		protocol.RecordSubscribeAndRead:
		return recordRead
	case protocol.RecordCreate:
		return recordCreate
	case protocol.RecordUpdate, protocol.RecordPatch, protocol.RecordPatchMulti:
		return recordWrite
	case protocol.RecordDelete, protocol.RecordErase:
		return recordDelete
	case protocol.RecordListen:
		return recordListen
	case protocol.RecordNotify:
		return recordNotify
	}
	return noRule
}
