// Package jwt knows users by signed tokens: auth type "jwt". The token is checked here, against a
// secret, a public key or a set of them, so that a login needs no question to anybody else.
//
// # Invariants
//   - Only the algorithms of the configuration are accepted, and each only with a key made for it: no
//     "none", no HMAC with a public key.
//   - Signatures are checked by the Pool, key sets fetched beside it; neither holds up a loop.
//   - However many tokens name an unknown key, its set is fetched once per Cooldown.
//   - A token that says when it ends makes a session that ends then.
//   - Without a key, or a user's name in the token, nobody is let in.
//
// Cost: one signature per login, measured by BenchmarkVerify. Stability: internal, may change.
// Source: RFC 7515, 7517, 7519, 8725.
package jwt

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/tidwall/gjson"

	"deepstream-fast/auth"
)

// Defaults of Options.
const (
	RefreshDefault  = 15 * time.Minute
	CooldownDefault = 10 * time.Second
	TimeoutDefault  = 5 * time.Second
)

// AllClaims as the path of a claim stands for all of them.
const AllClaims = "*"

// Algorithms are those that can be accepted.
var Algorithms = []string{"HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}

// Options configures a Verifier. Exactly one of Secret, PublicKey, KeySet and KeySetURL is given.
type Options struct {
	Algorithms []string // accepted, at least one

	Secret    []byte   // of HS algorithms
	PublicKey string   // PEM
	KeySet    []byte   // JWKS
	KeySetURL *url.URL // of a JWKS

	Refresh  time.Duration // a key set older than this is fetched again; 0: RefreshDefault
	Cooldown time.Duration // between two fetches; 0: CooldownDefault
	Timeout  time.Duration // of one; 0: TimeoutDefault

	Issuer       string   // if set, the token's iss
	Audience     []string // if set, one of them is in the token's aud
	Leeway       time.Duration
	AllowEndless bool // accept tokens that never expire

	Member string // of the credentials that holds the token; empty: none
	Header string // request header that does, lower case; empty: none
	Cookie string // cookie that does; empty: none

	ID         string // claim of the user's id
	ClientData string // claim, empty: none; AllClaims
	ServerData string // the same

	Report bool // tell the client what was wrong, instead of leaving it to the next handler
	Pool   *auth.Pool
	Log    *slog.Logger
	Now    func() time.Time // nil: time.Now
}

// Verifier implements auth.Authenticator.
type Verifier struct {
	// Set by New, then constant.
	opts   Options
	parser *jwt.Parser
	keys   source
	report *auth.Reporter
}

// source is where keys come from.
type source interface {
	// current returns the keys, nil if there are none so far. fresh is false if it is time to ask for
	// newer ones.
	current() (keys *keySet, fresh bool)
	// refresh calls then once, on any goroutine: when the keys are as new as they can be for now.
	refresh(then func())
}

// New returns a Verifier, or an error that says which option can't be used.
func New(o Options) (*Verifier, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	o.Refresh = cmp.Or(o.Refresh, RefreshDefault)
	o.Cooldown = cmp.Or(o.Cooldown, CooldownDefault)
	o.Timeout = cmp.Or(o.Timeout, TimeoutDefault)
	if o.ID == "" || o.Member == "" && o.Header == "" && o.Cookie == "" {
		return nil, errors.New("auth: jwt needs the claim of the user's id, and a place where the token is")
	}
	report := auth.NewReporter(o.Log)
	keys, err := newSource(&o, report)
	if err != nil {
		return nil, err
	}
	checks := []jwt.ParserOption{jwt.WithValidMethods(o.Algorithms), jwt.WithLeeway(o.Leeway), jwt.WithTimeFunc(o.Now), jwt.WithStrictDecoding()}
	if !o.AllowEndless {
		checks = append(checks, jwt.WithExpirationRequired())
	}
	if o.Issuer != "" {
		checks = append(checks, jwt.WithIssuer(o.Issuer))
	}
	if len(o.Audience) > 0 {
		checks = append(checks, jwt.WithAudience(o.Audience...))
	}
	return &Verifier{opts: o, parser: jwt.NewParser(checks...), keys: keys, report: report}, nil
}

// newSource returns the keys that o names.
func newSource(o *Options, report *auth.Reporter) (source, error) {
	if err := checkAlgorithms(o); err != nil {
		return nil, err
	}
	switch {
	case len(o.Secret) > 0:
		return static(secretKey(o.Secret))
	case o.PublicKey != "":
		return static(parsePublicKey(o.PublicKey))
	case len(o.KeySet) > 0:
		return static(parseKeySet(o.KeySet))
	default:
		return newRemote(o, report), nil
	}
}

func checkAlgorithms(o *Options) error {
	given := 0
	for _, there := range []bool{len(o.Secret) > 0, o.PublicKey != "", len(o.KeySet) > 0, o.KeySetURL != nil} {
		if there {
			given++
		}
	}
	if given != 1 {
		return errors.New("auth: jwt needs exactly one of secret, publicKey, jwks and jwksUrl")
	}
	if len(o.Algorithms) == 0 {
		return errors.New("auth: jwt needs the algorithms to accept")
	}
	for _, alg := range o.Algorithms {
		if !slices.Contains(Algorithms, alg) {
			return fmt.Errorf("auth: jwt algorithm %q is unknown", alg)
		}
		if strings.HasPrefix(alg, "HS") != (len(o.Secret) > 0) {
			return fmt.Errorf("auth: jwt algorithm %s does not go with the kind of key", alg)
		}
	}
	return nil
}

// Authenticate implements auth.Authenticator.
func (v *Verifier) Authenticate(r *auth.Request, done func(auth.Result)) {
	token := v.tokenOf(r)
	if token == "" {
		done(v.refuse(auth.Refusal("missing authentication parameter: token")))
		return
	}
	if keys, fresh := v.keys.current(); keys == nil || !fresh {
		v.keys.refresh(func() { v.verify(r, token, false, done) })
		return
	}
	v.verify(r, token, true, done)
}

// verify checks a token with the keys of now. If it names an unknown one, newer keys may be asked for.
func (v *Verifier) verify(r *auth.Request, token string, mayRefresh bool, done func(auth.Result)) {
	var err error
	v.opts.Pool.Submit(r, func() (result auth.Result) {
		result, err = v.judge(token)
		return result
	}, func(result auth.Result) {
		if mayRefresh && errors.Is(err, errUnknownKey) {
			v.keys.refresh(func() { v.verify(r, token, false, done) })
			return
		}
		done(result)
	})
}

// judge turns a token into a result. The error says why it is a refusal.
func (v *Verifier) judge(token string) (auth.Result, error) {
	keys, _ := v.keys.current()
	claims := jwt.MapClaims{}
	if _, err := v.parser.ParseWithClaims(token, claims, keys.find); err != nil {
		return v.refuse(auth.Refusal(v.reason(err))), err
	}
	result, err := v.userOf(token, claims)
	if err != nil {
		v.report.Warn("claims", "a valid token is of no use", "error", err)
		return v.refuse(auth.Refusal("invalid token")), err
	}
	return result, nil
}

// reason words for the client why a token was refused. Only what helps it to get a better one is told.
func (v *Verifier) reason(err error) string {
	switch {
	case errors.Is(err, errNoKeys):
		v.report.Warn("keys", "tokens can't be checked: there are no keys")
		return "authentication is not available, try again later"
	case errors.Is(err, jwt.ErrTokenExpired):
		return "the token has expired"
	case errors.Is(err, jwt.ErrTokenNotValidYet):
		return "the token is not valid yet"
	}
	return "invalid token"
}

// errNoUser is what a good token is refused for.
var errNoUser = errors.New("jwt: the claim of the user's id is not a text or a number")

// userOf reads the user from the claims of a token that is good.
func (v *Verifier) userOf(token string, claims jwt.MapClaims) (auth.Result, error) {
	text, err := payloadOf(token)
	if err != nil {
		return auth.Result{}, err
	}
	r := auth.Result{Valid: true, ClientData: rawOf(claim(text, v.opts.ClientData)), ServerData: rawOf(claim(text, v.opts.ServerData))}
	switch id := claim(text, v.opts.ID); id.Type {
	case gjson.String:
		r.ID = id.Str
	case gjson.Number:
		r.ID = strconv.FormatFloat(id.Num, 'f', -1, 64)
	}
	if r.ID == "" {
		return auth.Result{}, errNoUser
	}
	expires, err := claims.GetExpirationTime()
	if err != nil {
		return auth.Result{}, err
	}
	if expires != nil {
		r.Expires = expires.Add(v.opts.Leeway)
	}
	return r, nil
}

// payloadOf returns the JSON text between the dots of a token.
func payloadOf(token string) ([]byte, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil, jwt.ErrTokenMalformed
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil || !gjson.ValidBytes(text) {
		return nil, jwt.ErrTokenMalformed
	}
	return bytes.TrimSpace(text), nil
}

// claim finds a claim: one that is called path, as "https://example.com/roles", else what path leads
// to, as "realm.roles".
func claim(claims []byte, path string) gjson.Result {
	switch path {
	case "":
		return gjson.Result{}
	case AllClaims:
		return gjson.ParseBytes(claims)
	}
	if whole := gjson.GetBytes(claims, gjson.Escape(path)); whole.Exists() {
		return whole
	}
	v := gjson.ParseBytes(claims)
	for segment := range strings.SplitSeq(path, ".") {
		if v = v.Get(gjson.Escape(segment)); !v.Exists() {
			return gjson.Result{}
		}
	}
	return v
}

func rawOf(v gjson.Result) []byte {
	if !v.Exists() {
		return nil
	}
	return []byte(v.Raw)
}

// refuse returns result, or no opinion if refusals are not to be told.
func (v *Verifier) refuse(result auth.Result) auth.Result {
	if !v.opts.Report {
		return auth.Unknown
	}
	return result
}

// tokenOf finds the token of an attempt: in the credentials, then in the header, then in the cookie.
func (v *Verifier) tokenOf(r *auth.Request) string {
	if v.opts.Member != "" {
		if m := gjson.GetBytes(r.Data, gjson.Escape(v.opts.Member)); m.Type == gjson.String && m.Str != "" {
			return m.Str
		}
	}
	if v.opts.Header != "" {
		value := r.HeaderValue(v.opts.Header)
		if scheme, token, ok := strings.Cut(value, " "); ok && strings.EqualFold(scheme, "bearer") {
			value = strings.TrimSpace(token)
		}
		if value != "" {
			return value
		}
	}
	if v.opts.Cookie != "" {
		cookies, err := http.ParseCookie(r.HeaderValue("cookie"))
		if err != nil {
			return ""
		}
		for _, c := range cookies {
			if c.Name == v.opts.Cookie {
				return c.Value
			}
		}
	}
	return ""
}
