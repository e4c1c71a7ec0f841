//! Who did what: the rows of the audit log, from the point of view of a request.

use carnet_store::{AuditAction, NewAudit, Outcome};

/// Who makes a request: what every audit row of it has in common.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The address of the person or program.
    pub address: std::net::IpAddr,
    /// What the program says it is, cut short.
    pub user_agent: String,
    /// The request's id in the log.
    pub correlation: String,
}

impl Caller {
    /// An audit row for something that succeeded.
    pub fn did(&self, actor: &str, action: AuditAction, object: &str) -> NewAudit {
        let success = NewAudit::success(actor, action, object);
        NewAudit {
            address: self.address.to_string(),
            correlation: self.correlation.clone(),
            ..success
        }
    }

    /// An audit row for something that was refused.
    pub fn was_refused(&self, actor: &str, action: AuditAction, object: &str, code: &str) -> NewAudit {
        NewAudit {
            outcome: Outcome::Refused,
            code: code.to_owned(),
            ..self.did(actor, action, object)
        }
    }
}
