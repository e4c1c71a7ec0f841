// A guarded API as a Node developer writes it: Express, and jsonwebtoken with algorithm list, issuer and audience.
const express = require('express');
const jwt = require('jsonwebtoken');

function guardedApi({ key, algorithms, issuer, audience }) {
  const app = express();

  function authenticateToken(req, res, next) {
    const authHeader = req.headers['authorization'];
    const token = authHeader && authHeader.startsWith('Bearer ') ? authHeader.slice(7) : null;
    if (!token) {
      return res.status(401).json({ error: 'Access token required' });
    }
    try {
      const decoded = jwt.verify(token, key, { algorithms, issuer, audience });
      req.user = { id: decoded.sub, email: decoded.email, role: decoded.role };
      next();
    } catch (err) {
      return res.status(401).json({ error: err.name === 'TokenExpiredError' ? 'Token expired' : 'Invalid token' });
    }
  }

  app.get('/api/data', authenticateToken, (req, res) => res.json({ data: [1, 2, 3] }));
  app.get('/api/user/profile', authenticateToken, (req, res) => {
    res.json({ userId: req.user.id, email: req.user.email, role: req.user.role });
  });
  return app;
}

module.exports = { guardedApi };
