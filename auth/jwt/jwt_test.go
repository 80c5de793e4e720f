package jwt

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/MicahParks/jwkset"
	"github.com/golang-jwt/jwt/v5"
	"github.com/tidwall/gjson"

	"deepstream-fast/auth"
	"deepstream-fast/internal/testkit"
)

// now is the time of all tests.
var now = time.Unix(1_800_000_000, 0)

var secret = []byte(strings.Repeat("s", SecretBytesMin))

// Keys are slow to make: once is enough.
var (
	rsaKey      = testkit.Must(rsa.GenerateKey(rand.Reader, 2048))
	otherRSA    = testkit.Must(rsa.GenerateKey(rand.Reader, 2048))
	weakRSA     = testkit.Must(rsa.GenerateKey(rand.Reader, 1024))
	p256        = testkit.Must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	p384        = testkit.Must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))
	p521        = testkit.Must(ecdsa.GenerateKey(elliptic.P521(), rand.Reader))
	_, edKey, _ = ed25519.GenerateKey(rand.Reader)
)

// sign makes a token. claims get an exp an hour from now, unless they have one or it is "none".
func sign(t testing.TB, alg string, key any, kid string, claims jwt.MapClaims) string {
	t.Helper()
	if _, ok := claims["exp"]; !ok {
		claims["exp"] = now.Add(time.Hour).Unix()
	} else if claims["exp"] == "none" {
		delete(claims, "exp")
	}
	token := jwt.NewWithClaims(jwt.GetSigningMethod(alg), claims)
	if kid != "" {
		token.Header["kid"] = kid
	}
	text, err := token.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func publicPEM(t testing.TB, key crypto.PublicKey) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

// named is a key of a set.
type named struct {
	kid, alg, use string
	key           any
}

func keySetText(t testing.TB, keys ...named) []byte {
	t.Helper()
	set := jwkset.JWKSMarshal{}
	for _, k := range keys {
		jwk, err := jwkset.NewJWKFromKey(k.key, jwkset.JWKOptions{
			Marshal:  jwkset.JWKMarshalOptions{Private: true},
			Metadata: jwkset.JWKMetadataOptions{KID: k.kid, ALG: jwkset.ALG(k.alg), USE: jwkset.USE(k.use)},
		})
		if err != nil {
			t.Fatal(err)
		}
		set.Keys = append(set.Keys, jwk.Marshal())
	}
	text, err := json.Marshal(set)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func newVerifier(t testing.TB, o Options) *Verifier {
	t.Helper()
	o.Pool = auth.NewPool(auth.PoolOptions{})
	t.Cleanup(o.Pool.Close)
	if o.Now == nil {
		o.Now = func() time.Time { return now }
	}
	if o.Member == "" && o.Header == "" && o.Cookie == "" {
		o.Member = "token"
	}
	if o.ID == "" {
		o.ID = "sub"
	}
	v, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func ask(v *Verifier, r *auth.Request) auth.Result {
	answer := make(chan auth.Result)
	go v.Authenticate(r, func(r auth.Result) { answer <- r }) // ends with the answer
	return <-answer
}

// with returns an attempt with a token.
func with(token string) *auth.Request {
	return &auth.Request{Data: fmt.Appendf(nil, `{"token":%q}`, token)}
}

func words(r auth.Result) string {
	switch {
	case r.Valid:
		return r.ID
	case r.Unknown:
		return "nothing"
	}
	return gjson.GetBytes(r.ClientData, "error").Str
}

// Every algorithm with every way to give its key, and no other algorithm or key.
func TestAlgorithms(t *testing.T) {
	type pair struct{ private, public any }
	pairs := map[string]pair{
		"HS": {secret, secret}, "RS": {rsaKey, rsaKey.Public()}, "PS": {rsaKey, rsaKey.Public()},
		"ES256": {p256, p256.Public()}, "ES384": {p384, p384.Public()}, "ES512": {p521, p521.Public()}, "EdDSA": {edKey, edKey.Public()},
	}
	keyOf := func(alg string) pair {
		if p, ok := pairs[alg]; ok {
			return p
		}
		return pairs[alg[:2]]
	}
	for _, alg := range Algorithms {
		keys := []Options{{Algorithms: []string{alg}, PublicKey: "pem"}, {Algorithms: []string{alg}, KeySet: []byte("jwks")}}
		if alg[:2] == "HS" {
			keys = []Options{{Algorithms: []string{alg}, Secret: secret}}
		}
		for _, o := range keys {
			if o.PublicKey != "" {
				o.PublicKey = publicPEM(t, keyOf(alg).public)
			}
			if o.KeySet != nil {
				o.KeySet = keySetText(t, named{"k", "", "", keyOf(alg).public})
			}
			o.Report = true
			v := newVerifier(t, o)
			for _, other := range Algorithms {
				want := "invalid token"
				if other == alg {
					want = "alice"
				}
				if got := words(ask(v, with(sign(t, other, keyOf(other).private, "k", jwt.MapClaims{"sub": "alice"})))); got != want {
					t.Errorf("%s, token with %s: %q, want %q", alg, other, got, want)
				}
			}
		}
	}
}

// The classics: no signature, and a public key taken for a secret.
func TestForgedTokens(t *testing.T) {
	public := publicPEM(t, rsaKey.Public())
	v := newVerifier(t, Options{Algorithms: []string{"RS256"}, PublicKey: public, Report: true})
	claims := jwt.MapClaims{"sub": "alice"}
	good := sign(t, "RS256", rsaKey, "", claims)
	parts := strings.Split(good, ".")
	payload := base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, `{"sub":"mallory","exp":%d}`, now.Unix()+60))
	header := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
	for name, token := range map[string]string{
		"none":            sign(t, "none", jwt.UnsafeAllowNoneSignatureType, "", claims),
		"None":            header(`{"alg":"None"}`) + "." + payload + ".",
		"no alg":          header(`{}`) + "." + payload + ".",
		"public as HMAC":  sign(t, "HS256", []byte(public), "", claims),
		"another key":     sign(t, "RS256", otherRSA, "", claims),
		"other claims":    parts[0] + "." + payload + "." + parts[2],
		"no signature":    parts[0] + "." + parts[1] + ".",
		"two parts":       parts[0] + "." + parts[1],
		"padding":         parts[0] + "." + parts[1] + "." + parts[2] + "=",
		"own key":         header(`{"alg":"RS256","jwk":{"kty":"oct","k":"AA"}}`) + "." + payload + "." + parts[2],
		"text":            "alice",
		"dots":            "..",
		"claims are text": header(`{"alg":"RS256"}`) + "." + header(`"x"`) + "." + parts[2],
	} {
		if got := words(ask(v, with(token))); got != "invalid token" {
			t.Errorf("%s: %q", name, got)
		}
	}
	if got := words(ask(v, with(good))); got != "alice" {
		t.Errorf("the good one: %q", got)
	}
}

func TestClaimsThatAreChecked(t *testing.T) {
	at := func(seconds int64) int64 { return now.Unix() + seconds }
	for _, tt := range []struct {
		name   string
		o      Options
		claims jwt.MapClaims
		want   string
	}{
		{"good", Options{}, jwt.MapClaims{"sub": "a"}, "a"},
		{"expired", Options{}, jwt.MapClaims{"sub": "a", "exp": at(-1)}, "the token has expired"},
		{"expired, within the leeway", Options{Leeway: time.Minute}, jwt.MapClaims{"sub": "a", "exp": at(-59)}, "a"},
		{"not yet", Options{}, jwt.MapClaims{"sub": "a", "nbf": at(1)}, "the token is not valid yet"},
		{"not yet, within the leeway", Options{Leeway: time.Minute}, jwt.MapClaims{"sub": "a", "nbf": at(59)}, "a"},
		{"endless", Options{}, jwt.MapClaims{"sub": "a", "exp": "none"}, "invalid token"},
		{"endless, allowed", Options{AllowEndless: true}, jwt.MapClaims{"sub": "a", "exp": "none"}, "a"},
		{"expired, though endless is allowed", Options{AllowEndless: true}, jwt.MapClaims{"sub": "a", "exp": at(-1)}, "the token has expired"},
		{"exp is text", Options{}, jwt.MapClaims{"sub": "a", "exp": "tomorrow"}, "invalid token"},
		{"exp is huge", Options{}, jwt.MapClaims{"sub": "a", "exp": 1e300}, "the token has expired"},
		{"issuer", Options{Issuer: "i"}, jwt.MapClaims{"sub": "a", "iss": "i"}, "a"},
		{"wrong issuer", Options{Issuer: "i"}, jwt.MapClaims{"sub": "a", "iss": "j"}, "invalid token"},
		{"no issuer", Options{Issuer: "i"}, jwt.MapClaims{"sub": "a"}, "invalid token"},
		{"audience", Options{Audience: []string{"x", "y"}}, jwt.MapClaims{"sub": "a", "aud": []string{"z", "y"}}, "a"},
		{"one audience", Options{Audience: []string{"x", "y"}}, jwt.MapClaims{"sub": "a", "aud": "x"}, "a"},
		{"wrong audience", Options{Audience: []string{"x"}}, jwt.MapClaims{"sub": "a", "aud": []string{"z"}}, "invalid token"},
		{"no audience", Options{Audience: []string{"x"}}, jwt.MapClaims{"sub": "a"}, "invalid token"},
		{"no id", Options{}, jwt.MapClaims{}, "invalid token"},
		{"empty id", Options{}, jwt.MapClaims{"sub": ""}, "invalid token"},
		{"id is an object", Options{}, jwt.MapClaims{"sub": map[string]any{"a": 1}}, "invalid token"},
		{"id is a number", Options{ID: "uid"}, jwt.MapClaims{"uid": 12345678901}, "12345678901"},
		{"id deep down", Options{ID: "user.name"}, jwt.MapClaims{"user": map[string]any{"name": "a"}}, "a"},
		{"id with dots", Options{ID: "https://example.com/id"}, jwt.MapClaims{"https://example.com/id": "a", "https://example": map[string]any{"com/id": "b"}}, "a"},
		{"id in a list", Options{ID: "users.#.name"}, jwt.MapClaims{"users": []map[string]any{{"name": "a"}}}, "invalid token"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.o.Algorithms, tt.o.Secret, tt.o.Report = []string{"HS256"}, secret, true
			token := sign(t, "HS256", secret, "", tt.claims)
			if got := words(ask(newVerifier(t, tt.o), with(token))); got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
			tt.o.Report = false
			if got := words(ask(newVerifier(t, tt.o), with(token))); got != tt.want && got != "nothing" {
				t.Errorf("without reports: %q", got)
			}
		})
	}
}

func TestClaimsThatAreHandedOn(t *testing.T) {
	claims := jwt.MapClaims{"sub": "a", "role": "admin", "ui": map[string]any{"color": "red"}, "n": json.Number("12345678901234567890"), "exp": now.Unix() + 60}
	token := sign(t, "HS256", secret, "", claims)
	base := Options{Algorithms: []string{"HS256"}, Secret: secret, Leeway: 10 * time.Second}
	for _, tt := range []struct{ client, server, wantClient, wantServer string }{
		{"", "", "", ""},
		{"ui.color", "role", `"red"`, `"admin"`},
		{"missing", "missing.too", "", ""},
		{"ui", "*", `{"color":"red"}`, fmt.Sprintf(`{"exp":%d,"n":12345678901234567890,"role":"admin","sub":"a","ui":{"color":"red"}}`, now.Unix()+60)},
	} {
		o := base
		o.ClientData, o.ServerData = tt.client, tt.server
		r := ask(newVerifier(t, o), with(token))
		if string(r.ClientData) != tt.wantClient || string(r.ServerData) != tt.wantServer {
			t.Errorf("%q, %q: %s and %s", tt.client, tt.server, r.ClientData, r.ServerData)
		}
		if want := now.Add(70 * time.Second); !r.Expires.Equal(want) {
			t.Errorf("expires at %v, want %v", r.Expires, want)
		}
	}
	base.AllowEndless = true
	if r := ask(newVerifier(t, base), with(sign(t, "HS256", secret, "", jwt.MapClaims{"sub": "a", "exp": "none"}))); !r.Valid || !r.Expires.IsZero() {
		t.Errorf("an endless token: %+v", r)
	}
}

func TestWhereTheTokenIs(t *testing.T) {
	token := sign(t, "HS256", secret, "", jwt.MapClaims{"sub": "a"})
	header := map[string]string{"authorization": "Bearer " + token, "x-token": token, "cookie": "other=1; session=" + token}
	request := func(data string) *auth.Request {
		return &auth.Request{Data: []byte(data), Header: func(name string) string { return header[name] }}
	}
	const missing = "missing authentication parameter: token"
	for _, tt := range []struct {
		member, header, cookie, data, want string
	}{
		{"token", "", "", fmt.Sprintf(`{"token":%q}`, token), "a"},
		{"jwt.x", "", "", fmt.Sprintf(`{"jwt.x":%q}`, token), "a"},
		{"token", "", "", `{}`, missing},
		{"token", "", "", `{"token":7}`, missing},
		{"token", "authorization", "", `{}`, "a"},
		{"", "x-token", "", `{"token":"ignored"}`, "a"},
		{"", "x-missing", "", `{}`, missing},
		{"", "", "session", `{}`, "a"},
		{"", "", "nosession", `{}`, missing},
		{"token", "authorization", "session", `{"token":"wrong"}`, "invalid token"},
	} {
		v := newVerifier(t, Options{Algorithms: []string{"HS256"}, Secret: secret, Member: tt.member, Header: tt.header, Cookie: tt.cookie, Report: true})
		if got := words(ask(v, request(tt.data))); got != tt.want {
			t.Errorf("%+v: %q", tt, got)
		}
	}
	v := newVerifier(t, Options{Algorithms: []string{"HS256"}, Secret: secret, Header: "authorization"})
	if got := words(ask(v, &auth.Request{Data: []byte(`{}`)})); got != "nothing" {
		t.Errorf("a request without headers, and without reports: %q", got)
	}
}

// clock is a time that a test sets.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// provider serves a key set that a test changes.
type provider struct {
	*httptest.Server
	mu      sync.Mutex
	text    []byte // nil: an error
	fetches int
}

func newProvider(t *testing.T, text []byte) *provider {
	p := &provider{text: text}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.fetches++
		if p.text == nil {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		_, _ = w.Write(p.text)
	}))
	t.Cleanup(p.Close)
	return p
}

// set changes what is served and returns how often it was fetched so far.
func (p *provider) set(text []byte) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.text = text
	return p.fetches
}

func (p *provider) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.fetches
}

func TestKeySetIsRefreshed(t *testing.T) {
	c := &clock{at: now}
	first, both := keySetText(t, named{"one", "RS256", "sig", rsaKey.Public()}), keySetText(t, named{"one", "", "", rsaKey.Public()}, named{"two", "", "", otherRSA.Public()})
	p := newProvider(t, first)
	v := newVerifier(t, Options{Algorithms: []string{"RS256"}, KeySetURL: testkit.Must(url.Parse(p.URL)), Report: true, Now: c.now})
	claims := jwt.MapClaims{"sub": "a", "exp": now.Add(1000 * time.Hour).Unix()}
	one, two, three := sign(t, "RS256", rsaKey, "one", claims), sign(t, "RS256", otherRSA, "two", claims), sign(t, "RS256", otherRSA, "three", claims)
	step := func(what, token, want string, fetches int) {
		t.Helper()
		if got := words(ask(v, with(token))); got != want || p.count() != fetches {
			t.Errorf("%s: %q after %d fetches, want %q after %d", what, got, p.count(), want, fetches)
		}
	}
	step("the first login fetches", one, "a", 1)
	step("the second does not", one, "a", 1)
	step("an unknown key so soon after", two, "invalid token", 1)
	p.set(both)
	step("and again", two, "invalid token", 1)
	c.advance(CooldownDefault)
	step("after the cooldown", two, "a", 2)
	for range 5 {
		step("keys that never come", three, "invalid token", 2)
	}
	c.advance(CooldownDefault)
	step("are asked for once per cooldown", three, "invalid token", 3)
	step("not twice", three, "invalid token", 3)
	p.set(first)
	c.advance(RefreshDefault + time.Second)
	step("old keys are asked for anew, and one is gone", two, "invalid token", 4)
	p.set(nil)
	c.advance(RefreshDefault + time.Second)
	step("if that fails the old ones go on", one, "a", 5)
	step("and the provider is spared", one, "a", 5)
	c.advance(staleMax)
	step("but not for ever", one, "authentication is not available, try again later", 6)
	p.set(first)
	c.advance(CooldownDefault)
	step("until there are new ones", one, "a", 7)
}

func TestManyLoginsFetchOnce(t *testing.T) {
	p := newProvider(t, keySetText(t, named{"one", "", "", edKey.Public()}))
	v := newVerifier(t, Options{Algorithms: []string{"EdDSA"}, KeySetURL: testkit.Must(url.Parse(p.URL))})
	token := sign(t, "EdDSA", edKey, "one", jwt.MapClaims{"sub": "a"})
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() { // ends with the answer
			if got := words(ask(v, with(token))); got != "a" {
				t.Errorf("got %q", got)
			}
		})
	}
	all.Wait()
	if p.count() != 1 {
		t.Errorf("%d fetches", p.count())
	}
}

func TestKeySets(t *testing.T) {
	sets := map[string]struct {
		text []byte
		kid  string
		want string
	}{
		"by name":                   {keySetText(t, named{"a", "", "", otherRSA.Public()}, named{"b", "", "", rsaKey.Public()}), "b", "x"},
		"another name":              {keySetText(t, named{"a", "", "", rsaKey.Public()}), "b", "invalid token"},
		"no name in the token":      {keySetText(t, named{"a", "", "", otherRSA.Public()}, named{"b", "", "", rsaKey.Public()}), "", "x"},
		"no name in a set of one":   {keySetText(t, named{"", "", "", rsaKey.Public()}), "b", "x"},
		"for another algorithm":     {keySetText(t, named{"b", "RS512", "", rsaKey.Public()}), "b", "invalid token"},
		"for encryption":            {keySetText(t, named{"b", "", "enc", rsaKey.Public()}, named{"c", "", "", p256.Public()}), "b", "invalid token"},
		"with private parts":        {keySetText(t, named{"b", "", "", rsaKey}), "b", "x"},
		"beside a key of no use":    {keySetText(t, named{"w", "", "", weakRSA.Public()}, named{"b", "", "", rsaKey.Public()}), "b", "x"},
		"a secret of the same name": {keySetText(t, named{"b", "", "", secret}, named{"b", "", "", rsaKey.Public()}), "b", "x"},
	}
	for name, tt := range sets {
		v := newVerifier(t, Options{Algorithms: []string{"RS256"}, KeySet: tt.text, Report: true})
		if got := words(ask(v, with(sign(t, "RS256", rsaKey, tt.kid, jwt.MapClaims{"sub": "x"})))); got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	rs := []string{"RS256"}
	u := testkit.Must(url.Parse("https://a.example/"))
	for name, o := range map[string]Options{
		"no key":              {Algorithms: rs},
		"two keys":            {Algorithms: rs, PublicKey: publicPEM(t, rsaKey.Public()), KeySetURL: u},
		"no algorithm":        {KeySetURL: u},
		"none":                {Algorithms: []string{"none"}, KeySetURL: u},
		"HMAC and public":     {Algorithms: []string{"HS256"}, KeySetURL: u},
		"RSA and secret":      {Algorithms: rs, Secret: secret},
		"short secret":        {Algorithms: []string{"HS256"}, Secret: secret[1:]},
		"not PEM":             {Algorithms: rs, PublicKey: "x"},
		"private PEM":         {Algorithms: rs, PublicKey: string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(rsaKey)}))},
		"damaged PEM":         {Algorithms: rs, PublicKey: string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: []byte{1}}))},
		"damaged certificate": {Algorithms: rs, PublicKey: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte{1}}))},
		"weak RSA":            {Algorithms: rs, PublicKey: publicPEM(t, weakRSA.Public())},
		"not JSON":            {Algorithms: rs, KeySet: []byte("x")},
		"empty set":           {Algorithms: rs, KeySet: []byte(`{"keys":[]}`)},
		"set of secrets":      {Algorithms: rs, KeySet: keySetText(t, named{"a", "", "", secret})},
		"too many keys":       {Algorithms: rs, KeySet: []byte(`{"keys":[` + strings.Repeat("{},", keysMax) + `{}]}`)},
		"off the curve":       {Algorithms: []string{"ES256"}, KeySet: []byte(`{"keys":[{"kty":"EC","crv":"P-256","x":"AQ","y":"AQ"}]}`)},
		"no place":            {Algorithms: rs, KeySetURL: u, ID: "sub", Member: "-"},
		"no id":               {Algorithms: rs, KeySetURL: u, Member: "token", ID: "-"},
	} {
		if o.Member == "" {
			o.Member = "token"
		}
		if o.ID == "" {
			o.ID = "sub"
		}
		o.Member, o.ID = strings.Trim(o.Member, "-"), strings.Trim(o.ID, "-")
		if _, err := New(o); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestRedirectsOfKeySets(t *testing.T) {
	request := func(to string) *http.Request { return testkit.Must(http.NewRequest(http.MethodGet, to, http.NoBody)) }
	via := []*http.Request{request("https://a.example/")}
	for to, allowed := range map[string]bool{"https://b.example/": true, "http://a.example/": false, "file:///x": false} {
		if err := sameSecurity(request(to), via); (err == nil) != allowed {
			t.Errorf("%s: %v", to, err)
		}
	}
	if err := sameSecurity(request("https://a.example/"), []*http.Request{via[0], via[0], via[0]}); err == nil {
		t.Error("redirects have no end")
	}
}

// FuzzToken: whatever a token says, nobody gets in whose signature is not ours, and nothing panics.
func FuzzToken(f *testing.F) {
	good := sign(f, "HS256", secret, "", jwt.MapClaims{"sub": "alice", "a": map[string]any{"b": 1}})
	f.Add(good)
	f.Add(sign(f, "HS256", []byte(strings.Repeat("x", 32)), "k", jwt.MapClaims{"sub": "mallory"}))
	f.Add(sign(f, "none", jwt.UnsafeAllowNoneSignatureType, "", jwt.MapClaims{"sub": "mallory"}))
	f.Add("..")
	f.Add("e30.e30.")
	v := newVerifier(f, Options{Algorithms: []string{"HS256", "HS512"}, Secret: secret, ServerData: AllClaims, Report: true})
	f.Fuzz(func(t *testing.T, token string) {
		r, err := v.judge(token)
		if r.Valid && (err != nil || !strings.HasPrefix(token, good[:strings.LastIndexByte(good, '.')])) {
			t.Fatalf("%q gets in as %q", token, r.ID)
		}
		if !r.Valid && (err == nil || r.ServerData != nil) {
			t.Fatalf("%q: %+v, %v", token, r, err)
		}
	})
}

// FuzzClaims: whatever the claims are, mapping them does not panic, and yields JSON and an id.
func FuzzClaims(f *testing.F) {
	f.Add(`{"sub":"a","x":{"y":[1,{"z":null}]}}`, "x.y.1.z", "x")
	f.Add(`{"https://e.x/r":["a"]}`, "https://e.x/r", "*")
	f.Add(`{"sub":1e999,"a.b":{"c":1}}`, "a.b.c", "@this")
	f.Fuzz(func(t *testing.T, text, path, server string) {
		if !gjson.Valid(text) || !gjson.Parse(text).IsObject() {
			return
		}
		v := &Verifier{opts: Options{ID: path, ClientData: path, ServerData: server}}
		r, err := v.userOf("."+base64.RawURLEncoding.EncodeToString([]byte(text))+".", jwt.MapClaims{})
		if (err == nil) != r.Valid || r.Valid && r.ID == "" {
			t.Fatalf("%+v, %v", r, err)
		}
		for _, data := range [][]byte{r.ClientData, r.ServerData} {
			if data != nil && !gjson.ValidBytes(data) {
				t.Fatalf("%q is not JSON", data)
			}
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	for _, bb := range []struct {
		alg string
		key any
		o   Options
	}{
		{"HS256", secret, Options{Secret: secret}},
		{"RS256", rsaKey, Options{PublicKey: publicPEM(b, rsaKey.Public())}},
		{"ES256", p256, Options{PublicKey: publicPEM(b, p256.Public())}},
		{"EdDSA", edKey, Options{PublicKey: publicPEM(b, edKey.Public())}},
	} {
		b.Run("alg="+bb.alg, func(b *testing.B) {
			bb.o.Algorithms, bb.o.ServerData = []string{bb.alg}, AllClaims
			v := newVerifier(b, bb.o)
			token := sign(b, bb.alg, bb.key, "", jwt.MapClaims{"sub": "alice", "role": "admin"})
			b.ReportAllocs()
			for b.Loop() {
				if r, err := v.judge(token); !r.Valid {
					b.Fatal(err)
				}
			}
		})
	}
}
