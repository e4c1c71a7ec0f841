//! The error codes that OAuth endpoints answer with.
//!
//! Spec: RFC 6749 §4.1.2.1, §5.2 · RFC 6750 §3.1 · RFC 7009 §2.2.1 · RFC 8707 §2 · RFC 8628 §3.5 · RFC 9449 §5, §8 · RFC 7591 §3.2.2 ·
//! OpenID Connect Core §3.1.2.6 · OpenID Connect Core Error Code unmet_authentication_requirements

/// An error code of an OAuth endpoint: its wire name and its HTTP status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorCode {
    /// RFC 6749 §5.2: a parameter is missing, repeated or malformed.
    InvalidRequest,
    /// RFC 6749 §5.2: the client could not be authenticated.
    InvalidClient,
    /// RFC 6749 §5.2: the grant or refresh token is invalid, expired, revoked or another client's.
    InvalidGrant,
    /// RFC 6749 §5.2: this client may not use this grant type.
    UnauthorizedClient,
    /// RFC 6749 §5.2: the server does not know this grant type.
    UnsupportedGrantType,
    /// RFC 6749 §5.2: the scope is unknown, malformed or more than was granted.
    InvalidScope,
    /// RFC 8707 §2: the resource is unknown or not allowed.
    InvalidTarget,
    /// RFC 7009 §2.2.1: the server does not revoke tokens of this type.
    UnsupportedTokenType,
    /// RFC 6750 §3.1: the access token is expired, revoked or malformed.
    InvalidToken,
    /// RFC 6750 §3.1: the access token lacks a scope.
    InsufficientScope,
    /// RFC 6749 §4.1.2.1: the user, or the server, said no.
    AccessDenied,
    /// RFC 6749 §4.1.2.1: this response type is not offered.
    UnsupportedResponseType,
    /// OpenID Connect Core §3.1.2.6: nobody is signed in, and no page may be shown.
    LoginRequired,
    /// OpenID Connect Core §3.1.2.6: the user has to be asked, and no page may be shown.
    ConsentRequired,
    /// OpenID Connect Core §3.1.2.6: some other page would have to be shown.
    InteractionRequired,
    /// OpenID Connect Core §3.1.2.6: `request` is not read.
    RequestNotSupported,
    /// OpenID Connect Core §3.1.2.6: `request_uri` is not read.
    RequestUriNotSupported,
    /// OpenID Connect Core §3.1.2.6: `request_uri` names no request that may be used.
    InvalidRequestUri,
    /// OpenID Connect Core Error Code unmet_authentication_requirements: the user cannot be authenticated as the client demands.
    UnmetAuthenticationRequirements,
    /// OpenID Connect Core §3.1.2.6: `registration` is not read.
    RegistrationNotSupported,
    /// RFC 8628 §3.5: the user has not decided yet.
    AuthorizationPending,
    /// RFC 8628 §3.5: the device asks too often; from now on five seconds more lie between two requests.
    SlowDown,
    /// RFC 8628 §3.5: the device code has expired.
    ExpiredToken,
    /// RFC 9449 §5: the DPoP proof is missing where it has to be, or is none for this request.
    InvalidDpopProof,
    /// RFC 9449 §8: the DPoP proof has to be made again, with the nonce in the header `DPoP-Nonce`.
    UseDpopNonce,
    /// RFC 7591 §3.2.2: a redirect URI cannot be registered.
    InvalidRedirectUri,
    /// RFC 7591 §3.2.2: a member of the client metadata cannot be registered.
    InvalidClientMetadata,
    /// RFC 7591 §3.2.2: the software statement is none.
    InvalidSoftwareStatement,
    /// RFC 7591 §3.2.2: software statements of this kind are not believed.
    UnapprovedSoftwareStatement,
    /// RFC 6749 §4.1.2.1: the server met an unexpected condition.
    ServerError,
    /// RFC 6749 §4.1.2.1: the server is overloaded for the moment.
    TemporarilyUnavailable,
}

impl ErrorCode {
    /// The value of the `error` member.
    pub fn name(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::InvalidClient => "invalid_client",
            Self::InvalidGrant => "invalid_grant",
            Self::UnauthorizedClient => "unauthorized_client",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::InvalidScope => "invalid_scope",
            Self::InvalidTarget => "invalid_target",
            Self::UnsupportedTokenType => "unsupported_token_type",
            Self::InvalidToken => "invalid_token",
            Self::InsufficientScope => "insufficient_scope",
            Self::AccessDenied => "access_denied",
            Self::UnsupportedResponseType => "unsupported_response_type",
            Self::LoginRequired => "login_required",
            Self::ConsentRequired => "consent_required",
            Self::InteractionRequired => "interaction_required",
            Self::RequestNotSupported => "request_not_supported",
            Self::RequestUriNotSupported => "request_uri_not_supported",
            Self::InvalidRequestUri => "invalid_request_uri",
            Self::UnmetAuthenticationRequirements => "unmet_authentication_requirements",
            Self::RegistrationNotSupported => "registration_not_supported",
            Self::AuthorizationPending => "authorization_pending",
            Self::SlowDown => "slow_down",
            Self::ExpiredToken => "expired_token",
            Self::InvalidDpopProof => "invalid_dpop_proof",
            Self::UseDpopNonce => "use_dpop_nonce",
            Self::InvalidRedirectUri => "invalid_redirect_uri",
            Self::InvalidClientMetadata => "invalid_client_metadata",
            Self::InvalidSoftwareStatement => "invalid_software_statement",
            Self::UnapprovedSoftwareStatement => "unapproved_software_statement",
            Self::ServerError => "server_error",
            Self::TemporarilyUnavailable => "temporarily_unavailable",
        }
    }

    /// The HTTP status that goes with it.
    pub fn status(self) -> u16 {
        match self {
            Self::InvalidClient | Self::InvalidToken => 401,
            Self::InsufficientScope => 403,
            Self::ServerError => 500,
            Self::TemporarilyUnavailable => 503,
            _ => 400,
        }
    }
}
