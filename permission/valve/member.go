package valve

import "deepstream-fast/lazyjson"

// Members of users, data and values.

// userMember returns a member of the variable user.
func (r *run) userMember(key string) (value, bool) {
	u := r.q.User
	switch key {
	case "id":
		return textValue(u.ID), true
	case "isAuthenticated":
		return boolValue(u.ID != "open"), true
	case "data":
		if len(u.ServerData) == 0 {
			return value{kind: kindNull}, true
		}
		return fromJSON(trimJSON(view(u.ServerData))), true
	}
	return value{}, false
}

// get returns member key of v.
func (r *run) get(v value, key string) (value, bool) {
	if v.kind == kindUser {
		return r.userMember(key)
	}
	return v.get(key)
}

// object evaluates the left side of a member or call. If done, v is the result of the whole.
func (r *run) object(n *node) (v value, done bool) { return r.objectFrom(r.eval(n.a), n) }

func (r *run) objectFrom(v value, n *node) (_ value, done bool) {
	switch {
	case v.kind >= kindThrown:
		return v, true
	case !v.nullish():
		return v, false
	case n.optional:
		return value{kind: kindSkipped}, true
	}
	return r.throw(n, reasonMemberOfNothing), true
}

func (r *run) member(n *node) value {
	if n.a.op == opData && r.trace == nil && r.hasPayload() {
		return r.dataMember(n)
	}
	return r.memberOf(r.eval(n.a), n)
}

// memberOf is member of v.
func (r *run) memberOf(v value, n *node) value {
	v, done := r.objectFrom(v, n)
	if done {
		return v
	}
	v, _ = r.get(v, n.text)
	return v
}

// dataMember is member of the payload. The first one is remembered: rules tend to ask for more than one thing
// about it, and it takes a look at all of the payload to find it.
func (r *run) dataMember(n *node) value {
	switch {
	case !r.payloadKnown:
		v := r.firstMember(n)
		if r.payload.kind == kindJSONObject {
			r.firstKey, r.first = n.text, v
		}
		return v
	case r.firstKey == n.text:
		return r.first
	}
	return r.memberOf(r.payload, n)
}

// firstMember is member for the first look at the payload, which checks it in the same pass if nobody has.
func (r *run) firstMember(n *node) value {
	if r.q.Valid {
		return r.memberOf(r.data(n.a), n)
	}
	raw, found, valid := lazyjson.Find(r.q.Data, n.key)
	if !valid {
		return r.throw(n.a, reasonPayload)
	}
	r.q.Valid = true
	v := r.data(n.a)
	switch {
	case found:
		return fromJSON(view(raw))
	case v.kind == kindJSONObject:
		return value{}
	}
	return r.memberOf(v, n)
}

func (r *run) subscript(n *node) value {
	v, done := r.object(n)
	if done {
		return v
	}
	key := r.eval(n.b)
	if key.failed() {
		return key
	}
	if key.kind == kindNumber && (v.isArray() || v.kind == kindText) {
		if i := int(key.n); float64(i) == key.n && i >= 0 {
			v, _ = v.at(i)
			return v
		}
		return value{}
	}
	text, ok := toText(key)
	if !ok {
		return r.throw(n, reasonTooLong)
	}
	v, _ = r.get(v, text)
	return v
}
