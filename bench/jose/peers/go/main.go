// Go's golang-jwt: the same keys, claims and checks, and a figure a line.
package main

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"os"
	"sort"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

const (
	rounds = 9
	turn   = 60 * time.Millisecond
)

type material struct {
	Algorithm  string  `json:"algorithm"`
	Secret     *string `json:"secret"`
	PrivatePem string  `json:"private_pem"`
	PublicPem  string  `json:"public_pem"`
	Claims     claims  `json:"claims"`
	Issuer     string  `json:"issuer"`
	Audience   string  `json:"audience"`
}

type claims struct {
	jwt.RegisteredClaims
	ClientID string   `json:"client_id"`
	Scope    string   `json:"scope"`
	Roles    []string `json:"roles"`
}

type job struct {
	algorithm, operation string
	action               func()
	times                []float64
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func keys(m material) (private, public any, err error) {
	if m.Secret != nil {
		secret := must(base64.StdEncoding.DecodeString(*m.Secret))
		return secret, secret, nil
	}
	block, _ := pem.Decode([]byte(m.PrivatePem))
	if private, err = x509.ParsePKCS8PrivateKey(block.Bytes); err != nil {
		return
	}
	block, _ = pem.Decode([]byte(m.PublicPem))
	public, err = x509.ParsePKIXPublicKey(block.Bytes)
	return
}

func jobs(m material) []*job {
	name := m.Algorithm
	if name == "Ed25519" {
		name = "EdDSA"
	}
	method := jwt.GetSigningMethod(name)
	private, public, err := keys(m)
	if method == nil || err != nil {
		return nil
	}
	sign := func() string {
		token := jwt.NewWithClaims(method, m.Claims)
		token.Header["kid"] = "k1"
		return must(token.SignedString(private))
	}
	token := sign()
	parser := jwt.NewParser(jwt.WithValidMethods([]string{name}), jwt.WithIssuer(m.Issuer), jwt.WithAudience(m.Audience))
	verify := func() {
		must(parser.ParseWithClaims(token, &claims{}, func(*jwt.Token) (any, error) { return public, nil }))
	}
	verify()
	return []*job{
		{algorithm: m.Algorithm, operation: "verify", action: verify},
		{algorithm: m.Algorithm, operation: "sign", action: func() { sign() }},
	}
}

func once(action func()) float64 {
	for batch := 1; ; batch *= 2 {
		start := time.Now()
		for range batch {
			action()
		}
		if taken := time.Since(start); taken >= turn {
			return float64(taken.Nanoseconds()) / float64(batch)
		}
	}
}

func main() {
	var materials []material
	if err := json.Unmarshal(must(os.ReadFile(os.Args[1])), &materials); err != nil {
		panic(err)
	}
	var work []*job
	for _, m := range materials {
		work = append(work, jobs(m)...)
	}
	for range rounds {
		for _, j := range work {
			j.times = append(j.times, once(j.action))
		}
	}
	for _, j := range work {
		sort.Float64s(j.times)
		line := map[string]any{"name": "golang-jwt (Go)", "algorithm": j.algorithm, "operation": j.operation, "nanoseconds": j.times[len(j.times)/2]}
		fmt.Println(string(must(json.Marshal(line))))
	}
}
