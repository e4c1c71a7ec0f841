-- A bearer token, checked by OpenSSL: signature, iss, aud, exp. Then who asks is said in headers.
local ffi, cjson = require("ffi"), require("cjson.safe")

ffi.cdef([[
void *BIO_new_mem_buf(const void *, int);
void *PEM_read_bio_PUBKEY(void *, void **, void *, void *);
void *EVP_MD_CTX_new(void);
int EVP_MD_CTX_reset(void *);
const void *EVP_sha256(void);
int EVP_DigestVerifyInit(void *, void **, const void *, void *, void *);
int EVP_DigestVerify(void *, const char *, size_t, const char *, size_t);
]])
local crypto = ffi.load("libcrypto.so.3")
local context, sha256 = crypto.EVP_MD_CTX_new(), crypto.EVP_sha256()

local function key(file)
    local handle = assert(io.open(file))
    local pem = handle:read("*a")
    handle:close()
    return crypto.PEM_read_bio_PUBKEY(crypto.BIO_new_mem_buf(pem, #pem), nil, nil, nil)
end

local function decode(text)
    text = text:gsub("-", "+"):gsub("_", "/")
    return ngx.decode_base64(text .. ("="):rep(-#text % 4))
end

-- What JOSE writes as two numbers of 32 bytes, OpenSSL reads as DER.
local function number(bytes)
    bytes = bytes:gsub("^%z+", "")
    if bytes == "" or bytes:byte() >= 0x80 then bytes = "\0" .. bytes end
    return "\2" .. string.char(#bytes) .. bytes
end

local function der(signature)
    local both = number(signature:sub(1, 32)) .. number(signature:sub(33))
    return "\48" .. string.char(#both) .. both
end

return function(folder)
    local keys = { ES256 = key(folder .. "/es256.pem"), RS256 = key(folder .. "/rs256.pem") }
    return function()
        local header, payload, signature =
            (ngx.var.http_authorization or ""):match("^Bearer ([%w_-]+)%.([%w_-]+)%.([%w_-]+)$")
        if not header then return ngx.exit(401) end
        local head, claims = cjson.decode(decode(header)), cjson.decode(decode(payload))
        local chosen = head and keys[head.alg]
        if not chosen or not claims then return ngx.exit(401) end
        local signed, proof = header .. "." .. payload, decode(signature)
        if head.alg == "ES256" then proof = der(proof) end
        crypto.EVP_MD_CTX_reset(context)
        crypto.EVP_DigestVerifyInit(context, nil, sha256, nil, chosen)
        if
            crypto.EVP_DigestVerify(context, proof, #proof, signed, #signed) ~= 1
            or claims.iss ~= "https://auth.example.com"
            or claims.aud ~= "https://api.example.com"
            or claims.exp <= ngx.time()
        then
            return ngx.exit(401)
        end
        ngx.req.set_header("X-User-ID", claims.sub)
        ngx.req.set_header("X-User-Roles", table.concat(claims.roles or {}, ","))
    end
end
